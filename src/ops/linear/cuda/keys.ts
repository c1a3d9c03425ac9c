/** Texts that name linear problems and configurations in engines and timing caches. Pure. */
import { type LinearConfig, methodOf, METHODS } from './methods.js';
import type { CudaLinearProblem } from './problem.js';
import { rowClassName } from './row-classes.js';
import { storedWeights } from './stored-weights.js';

/** Problems with the same key share a configuration: those of a class of rows. */
export function problemKey(problem: CudaLinearProblem): string {
  const { m, n, k, format, epilogue, inputBits, inputIsRounded } = problem;
  const inputs =
    inputBits === undefined
      ? ''
      : ` inputs ${inputIsRounded === true ? 'rounded to' : 'of'} ${inputBits} bits`;
  return `linear ${storedWeights(format).key} ${n}x${k} ${epilogue} rows ${rowClassName(m)}${inputs}`;
}

/** @param libraryVersion version of cuBLASLt: the number of an algorithm depends on it */
export function configKey(config: LinearConfig, libraryVersion: number): string {
  return methodOf(config).key(config, libraryVersion);
}

/** The configuration of a key, or undefined when this version cannot run it. */
export function parseConfigKey(key: string, libraryVersion: number): LinearConfig | undefined {
  for (const method of Object.values(METHODS)) {
    const config = method.parse(key, libraryVersion);
    if (config !== undefined) return config;
  }
  return undefined;
}

/** Winners by problem from an engine's or a timing cache's keys, without those that this version cannot run. */
export function parseWinners(
  keys: Readonly<Record<string, string>>,
  libraryVersion: number,
): Map<string, LinearConfig> {
  const winners = new Map<string, LinearConfig>();
  for (const [problem, key] of Object.entries(keys)) {
    const config = parseConfigKey(key, libraryVersion);
    if (config !== undefined) winners.set(problem, config);
  }
  return winners;
}
