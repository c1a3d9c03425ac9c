/** Defaults that a model's publisher put into `generation_config.json`. */
import { AloftError } from '../core/errors.js';
import { rangeText } from '../core/number-range.js';
import { publishedDefault } from '../core/published-default.js';
import {
  byName,
  PUBLISHED_NAMES,
  type PublishedName,
  samplingField,
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
  const valueOf = (name: PublishedName): number => {
    const { published, range } = samplingField(name);
    const value = publishedDefault(name, config[published!]);
    if (value === undefined) throw wrongField(directory, published!, rangeText(range));
    return value;
  };
  return {
    doSample: config['do_sample'] === true,
    ...byName(PUBLISHED_NAMES, valueOf),
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
    if (typeof id !== 'number' || !Number.isSafeInteger(id))
      throw wrongField(directory, 'eos_token_id', 'a token id or a list of them');
    return id;
  });
  // Some files say -1 for "none".
  const real = ids.filter((id) => id >= 0);
  return [...new Set(eosId === undefined ? real : [...real, eosId])];
}

function wrongField(directory: string, field: string, expected: string): AloftError {
  return new AloftError(
    'CONFIG_INVALID',
    `${field} in ${directory}/generation_config.json must be ${expected}; correct it or remove the file.`,
  );
}
