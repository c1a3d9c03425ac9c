/** Defaults that a model's publisher put into `generation_config.json`. */
import { AloftError } from '../core/errors.js';
import {
  byName,
  PUBLISHED_NAMES,
  type PublishedName,
  SAMPLING_FIELDS,
  type SamplingNumbers,
} from '../core/sampling-fields.js';
import { readJsonIfPresent } from './tokenizer/files.js';
import type { Tokenizer } from './tokenizer/tokenizer.js';

export interface GenerationDefaults extends Pick<SamplingNumbers, PublishedName> {
  /** True if requests that say nothing about sampling sample with the filters recommended here. */
  readonly doSample: boolean;
  /** Tokens that end an output: those of the file and the tokenizer's `eos_token`. */
  readonly endIds: readonly number[];
}

/** Reads `generation_config.json`; a missing file or field means off. @throws {AloftError} CONFIG_INVALID */
export async function loadGenerationDefaults(
  directory: string,
  tokenizer: Tokenizer,
): Promise<GenerationDefaults> {
  const config = await readJsonIfPresent(directory, 'generation_config.json');
  const number = (field: string, otherwise: number): number => {
    const value = config[field] ?? otherwise;
    if (typeof value !== 'number') throw wrongField(directory, field, 'a number');
    return value;
  };
  return {
    doSample: config['do_sample'] === true,
    ...byName(PUBLISHED_NAMES, (name) => {
      const { published, neutral } = SAMPLING_FIELDS[name];
      return number(published, neutral);
    }),
    endIds: endIds(config['eos_token_id'], directory, tokenizer.eosId),
  };
}

function endIds(field: unknown, directory: string, eosId: number | undefined): number[] {
  const listed: unknown[] = Array.isArray(field)
    ? field
    : field === undefined || field === null
      ? []
      : [field];
  const ids = listed.map((id) => {
    if (typeof id !== 'number') throw wrongField(directory, 'eos_token_id', 'a token id or a list of them');
    return id;
  });
  return [...new Set(eosId === undefined ? ids : [...ids, eosId])];
}

function wrongField(directory: string, field: string, expected: string): AloftError {
  return new AloftError(
    'CONFIG_INVALID',
    `${field} in ${directory}/generation_config.json must be ${expected}; correct it or remove the file.`,
  );
}
