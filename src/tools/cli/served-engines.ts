/** Engines that stand on the command line of `aloft serve`. */
import { basename } from 'node:path';
import { DEVICE_NAMES } from '../../core/device.js';
import { foreignOptions, requireOwnOptions } from '../../core/device-options.js';
import { AloftError } from '../../core/errors.js';
import { readManifest } from '../../engine/manifest.js';
import type { NamedEngine, ServeOptions } from '../../serve/context/options.js';
import { engineDirectoryOf } from './engine-source.js';
import { modelNameOf } from './pull.js';
import type { ServeFlags } from './serve-flags.js';
import type { Terminal } from './terminal.js';

type EngineFlags = Partial<Pick<ServeFlags, 'engineDir' | 'namedEngines' | 'servedModelName'>>;

/**
 * The flags that stand for them. A model of a hub has its name there in the OpenAI API, too.
 * @throws {AloftError} USAGE, and what pull and build throw
 */
export async function servedEngines(
  sources: readonly string[],
  { engineDir, tokenizerDir, servedModelName = [] }: ServeFlags,
  terminal: Terminal,
): Promise<EngineFlags> {
  const [only, ...others] = sources;
  if (only === undefined) return {};
  if (engineDir !== undefined)
    throw new AloftError('USAGE', `An engine (${only}) and --engine_dir were both given; use one of them.`);
  if (others.length === 0) return oneEngine(only, servedModelName, terminal);
  if (tokenizerDir !== undefined)
    throw new AloftError('USAGE', '--tokenizer_dir is for one engine; leave it out where several are named.');
  return severalEngines(namesOf(sources), servedModelName, terminal);
}

/** Its models have the names of Triton's TensorRT-LLM backend. */
async function oneEngine(
  source: string,
  servedModelName: readonly string[],
  terminal: Terminal,
): Promise<EngineFlags> {
  const repository = modelNameOf(source)?.repository;
  const engineDir = await engineDirectoryOf(source, terminal);
  if (servedModelName.length > 0 || repository === undefined) return { engineDir };
  return { engineDir, servedModelName: [repository] };
}

async function severalEngines(
  named: ReadonlyMap<string, string>,
  servedModelName: readonly string[],
  terminal: Terminal,
): Promise<EngineFlags> {
  const namedEngines: NamedEngine[] = [];
  const published: string[] = [];
  // One after the other, because each says what it downloads and builds.
  for (const [name, source] of named) {
    const repository = modelNameOf(source)?.repository;
    if (repository !== undefined) published.push(`${repository}=${name}`);
    namedEngines.push({ name, directory: await engineDirectoryOf(source, terminal) });
  }
  return { namedEngines, servedModelName: [...servedModelName, ...published] };
}

/** Sources by the names of their models: the last parts of paths, or of names on a hub. @throws {AloftError} USAGE */
function namesOf(sources: readonly string[]): ReadonlyMap<string, string> {
  const named = new Map<string, string>();
  for (const source of sources) {
    const name = basename(modelNameOf(source)?.repository ?? source, '.gguf');
    const other = named.get(name);
    if (other !== undefined)
      throw new AloftError(
        'USAGE',
        `${other} and ${source} would both be the model '${name}'; rename the directory of one of them.`,
      );
    named.set(name, source);
  }
  return named;
}

/**
 * Refuses options that none of the engines of a command line has a use for. Those of a repository are only known as they load.
 * @throws {AloftError} USAGE, and those of the engine reader
 */
export function requireServedOptions({ engineOptions: options, ...served }: ServeOptions): void {
  const { engineDirectory, namedEngines, modelRepositories } = served;
  const isForAll = DEVICE_NAMES.every((device) => foreignOptions(options, device).length === 0);
  if (isForAll || modelRepositories.length > 0) return;
  const directories = [engineDirectory ?? [], ...namedEngines.map(({ directory }) => directory)].flat();
  const [device, another] = new Set(directories.map((directory) => readManifest(directory).aloft.device));
  if (device === undefined || another !== undefined) return;
  const engine = directories.length === 1 ? `the one in ${directories[0]}` : 'each of those that are named';
  requireOwnOptions(options, { device, engine });
}
