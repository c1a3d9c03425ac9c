/** End ids and sampling defaults: from generation_config.json where there is one, else from config.json. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
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
  return {
    endIds: ids('eos_token_id'),
    bosId: ids('bos_token_id')[0] ?? null,
    padId: nonNegative(generation, model),
    doSample: generation.has('do_sample') ? generation.flag('do_sample', false) : null,
    temperature: generation.optionalNumber('temperature'),
    topK: generation.optionalNumber('top_k'),
    topP: generation.optionalNumber('top_p'),
    repetitionPenalty: generation.optionalNumber('repetition_penalty'),
  };
}

/** LLaMA-1 files say -1 for "no padding token". */
function nonNegative(generation: JsonFile, model: JsonFile): number | null {
  const id = generation.optionalNumber('pad_token_id') ?? model.optionalNumber('pad_token_id');
  return id !== null && Number.isSafeInteger(id) && id >= 0 ? id : null;
}
