/** End ids and sampling defaults: from generation_config.json where there is one, else from config.json. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { rangeText } from '../../core/number-range.js';
import { publishedDefault } from '../../core/published-default.js';
import { byName, PUBLISHED_NAMES, type PublishedName, samplingField } from '../../core/sampling-fields.js';
import { JsonFile } from './json-file.js';

export interface GenerationConfig {
  readonly endIds: readonly number[];
  readonly bosId: number | null;
  readonly padId: number | null;
  /** Null where the checkpoint says nothing. */
  readonly doSample: boolean | null;
  readonly temperature: number | null;
  readonly topK: number | null;
  readonly topP: number | null;
  readonly repetitionPenalty: number | null;
}

/** @throws {AloftError} CHECKPOINT_CORRUPT, CHECKPOINT_CONFIG */
export function readGenerationConfig(directory: string): GenerationConfig {
  const path = join(directory, 'generation_config.json');
  const model = JsonFile.read(join(directory, 'config.json'));
  return parseGenerationConfig(existsSync(path) ? JsonFile.read(path) : new JsonFile(path, {}), model);
}

export function parseGenerationConfig(generation: JsonFile, model: JsonFile): GenerationConfig {
  const ids = (name: string): number[] => {
    const own = generation.tokenIds(name);
    return own.length > 0 ? own : model.tokenIds(name);
  };
  const values = byName(PUBLISHED_NAMES, (name) => publishedValue(generation, name));
  return {
    endIds: ids('eos_token_id'),
    bosId: ids('bos_token_id')[0] ?? null,
    padId: ids('pad_token_id')[0] ?? null,
    doSample: generation.has('do_sample') ? generation.flag('do_sample', false) : null,
    temperature: values.temperature,
    topK: values.topK,
    topP: values.topP,
    repetitionPenalty: values.repetitionPenalty,
  };
}

/** A recommended value, or null. Values that no request may have end the build here, with the file's name. */
function publishedValue(generation: JsonFile, name: PublishedName): number | null {
  const { published, range } = samplingField(name);
  if (!generation.has(published!)) return null;
  return (
    publishedDefault(name, generation.fields[published!]) ?? generation.fail(published!, rangeText(range))
  );
}
