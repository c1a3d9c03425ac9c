/** Options that only engines for one kind of device have a use for. */
import type { DeviceName } from './device.js';
import { ENGINE_OPTIONS } from './engine-option-table.js';
import type { EngineOptionName, EngineOptions } from './engine-options.js';
import { AloftError } from './errors.js';

/** The engine that options are given to. */
interface BuiltFor {
  readonly device: DeviceName;
  /** Noun phrase for messages, such as `the one in ./engine`. */
  readonly engine: string;
}

/** Names of the options that are set and that an engine for `device` has no use for; a switch that is off is not set. */
export function foreignOptions(options: EngineOptions, device: DeviceName): EngineOptionName[] {
  const set = new Map<string, unknown>(Object.entries(options));
  return (Object.keys(ENGINE_OPTIONS) as EngineOptionName[]).filter((name) => {
    const { device: needed = device } = ENGINE_OPTIONS[name];
    const value = set.get(name);
    return needed !== device && value !== undefined && value !== false;
  });
}

/** The options without those that an engine for `device` has no use for. */
export function ownOptions<Options extends EngineOptions>(options: Options, device: DeviceName): Options {
  const foreign = new Set<string>(foreignOptions(options, device));
  return Object.fromEntries(Object.entries(options).filter(([name]) => !foreign.has(name))) as Options;
}

/** @throws {AloftError} USAGE with the first option that the engine has no use for */
export function requireOwnOptions(options: EngineOptions, { device, engine }: BuiltFor): void {
  const [first] = foreignOptions(options, device);
  if (first === undefined) return;
  throw new AloftError(
    'USAGE',
    `${flagOf(first)} is for engines that were built for '${ENGINE_OPTIONS[first].device}', and ${engine} was built for '${device}'; leave it out.`,
  );
}

/** The flag of an option as messages write it; its name where it has none. */
export function flagOf(name: EngineOptionName): string {
  const { flag } = ENGINE_OPTIONS[name];
  return flag === undefined ? name : flag.split(' ')[0]!.replaceAll(/(?<=\w)-/g, '_');
}
