/** Names for linear problems and configurations, what is worth trying, and a choice that knows what was measured. Pure. */
import { type CudaTarget, hasBulkRings, hasWarpgroupProducts } from '../../cuda/capability.js';
import { ceilDiv } from '../../cuda/launch.js';
import {
  canFuseSwiglu,
  chooseLinear,
  ringStages,
  type GeneratedConfig,
  type LinearConfig,
  type LinearProblem,
} from './cuda.js';
import { wideConfigs } from './wide.js';
import { MATMUL_ROW_STEP, rowClass, rowClassName } from './row-classes.js';

export type LinearChooser = (problem: LinearProblem) => LinearConfig;

/** Problems with the same key share a configuration: those of a class of rows. */
export function problemKey({ m, n, k, isInt8, epilogue }: LinearProblem): string {
  return `linear ${isInt8 ? 'int8' : 'dense'} ${n}x${k} ${epilogue} rows ${rowClassName(m)}`;
}

/** The numbers of each kind of kernel, in the order of its key. */
const KEY_NUMBERS = {
  ring: [
    'tokenGroups',
    'tilesPerWarp',
    'rowWarps',
    'kWarps',
    'boxes',
    'sharedBytes',
    'blocksPerMultiprocessor',
  ],
  stream: ['tokenGroups', 'warps', 'tiles', 'stages'],
  wide: ['tokenGroups', 'tilesPerWarp', 'warpgroups', 'boxes', 'clusterBlocks'],
} as const satisfies { readonly [M in GeneratedConfig['method']]: readonly (keyof Numbers<M>)[] };

type Numbers<M> = Omit<Extract<GeneratedConfig, { method: M }>, 'method'>;

/** @param libraryVersion of cuBLASLt: what an algorithm's number means depends on it */
export function configKey(config: LinearConfig, libraryVersion: number): string {
  if (config.method === 'matmul') return `cublasLt ${libraryVersion} algorithm ${config.algorithm ?? 0}`;
  const numbers = new Map(Object.entries(config));
  return [config.method, ...KEY_NUMBERS[config.method].map((name) => numbers.get(name))].join(' ');
}

/** The configuration of a key, or undefined when this version cannot run it. */
export function parseConfigKey(key: string, libraryVersion: number): LinearConfig | undefined {
  const library = /^cublasLt (\d+) algorithm (\d+)$/.exec(key);
  if (library !== null)
    return Number(library[1]) === libraryVersion
      ? { method: 'matmul', algorithm: Number(library[2]) }
      : undefined;
  const [method, ...words] = key.split(' ');
  if (method !== 'ring' && method !== 'stream' && method !== 'wide') return undefined;
  const names: readonly string[] = KEY_NUMBERS[method];
  if (words.length !== names.length || !words.every((word) => /^\d+$/.test(word))) return undefined;
  const numbers = Object.fromEntries(names.map((name, index) => [name, Number(words[index])]));
  return { method, ...numbers } as unknown as GeneratedConfig;
}

/** Measured winners first, the built-in choice for everything else. */
export function linearChooser(
  target: CudaTarget,
  winners: ReadonlyMap<string, LinearConfig> = new Map(),
): LinearChooser {
  return (problem) => {
    const winner = winners.get(problemKey(problem));
    if (winner === undefined) return chooseLinear(problem, target);
    return winner.method === 'matmul' && !isTimedMatmul(problem) ? { method: 'matmul' } : winner;
  };
}

/** Whether cuBLASLt's algorithms for a problem are those of its class: it plans multiples of 64 rows, and few rows as they are. */
function isTimedMatmul({ m }: LinearProblem): boolean {
  return m <= MATMUL_ROW_STEP || ceilDiv(m, MATMUL_ROW_STEP) * MATMUL_ROW_STEP === rowClass(m);
}

/** Winners by problem from an engine's or a timing cache's keys; what this version cannot run is left out. */
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

/** [tilesPerWarp, rowWarps, kWarps, boxes, shared KiB, blocks per multiprocessor]: what won anywhere in trials on an H200. */
const RING_TRIALS = [
  [1, 1, 4, 4, 108, 2],
  [2, 1, 4, 4, 108, 2],
  [1, 1, 8, 8, 108, 2],
  [2, 1, 4, 4, 72, 3],
  [2, 1, 4, 4, 200, 1],
  [2, 2, 2, 2, 108, 2],
  [2, 2, 2, 2, 72, 3],
  [1, 2, 4, 4, 200, 1],
  [1, 1, 4, 8, 72, 3],
  [2, 1, 4, 8, 108, 2],
  [1, 1, 8, 16, 108, 2],
] as const;
/** A ring of fewer stages cannot hide its copies. */
const MIN_STAGES = 2;

/** [warps, stages] of `stream.cu` by token groups. */
const STREAM_TRIALS = {
  1: [
    [4, 4],
    [8, 2],
    [8, 4],
  ],
  2: [
    [4, 2],
    [8, 2],
  ],
} as const;

/** Of those that are estimated to be the fastest, so many are compared: on an H200 the fastest of all was among them. */
const WIDE_TRIALS = 3;

/** Our kernels that are worth trying for a problem: none for more rows than they are made for. */
export function kernelCandidates(
  problem: LinearProblem,
  { computeCapability, multiprocessorCount }: CudaTarget,
): readonly GeneratedConfig[] {
  const wide = hasWarpgroupProducts(computeCapability) ? wideConfigs(problem, multiprocessorCount) : [];
  const other = hasBulkRings(computeCapability) ? ringCandidates(problem) : streamCandidates(problem);
  const all = wide.length > 0 ? wide.slice(0, WIDE_TRIALS) : other;
  return all.filter((config) => problem.epilogue !== 'swiglu' || canFuseSwiglu(config, problem.n / 2));
}

function ringCandidates({ m, isInt8 }: LinearProblem): GeneratedConfig[] {
  const tokenGroups = ([1, 2, 4, 8] as const).find((groups) => m <= groups * 8);
  if (tokenGroups === undefined) return [];
  return RING_TRIALS.map(
    ([tilesPerWarp, rowWarps, kWarps, boxes, sharedKib, blocksPerMultiprocessor]) =>
      ({
        method: 'ring',
        tokenGroups,
        tilesPerWarp,
        rowWarps,
        kWarps,
        boxes,
        blocksPerMultiprocessor,
        sharedBytes: sharedKib * 1024,
      }) as const,
  ).filter((config) => ringStages(config, { m: tokenGroups * 8, isInt8 }) >= MIN_STAGES);
}

function streamCandidates({ m, epilogue }: LinearProblem): GeneratedConfig[] {
  if (m > 16) return [];
  const tokenGroups = m <= 8 ? 1 : 2;
  const tileCounts = epilogue === 'swiglu' ? ([2] as const) : ([1, 2] as const);
  return STREAM_TRIALS[tokenGroups].flatMap(([warps, stages]) =>
    tileCounts.map((tiles) => ({ method: 'stream', tokenGroups, warps, tiles, stages }) as const),
  );
}
