/** Engines that stand on the command line of `aloft serve`. */
import { basename } from 'node:path';
import { AloftError } from '../../core/errors.js';
import type { NamedEngine } from '../../serve/context/options.js';
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
