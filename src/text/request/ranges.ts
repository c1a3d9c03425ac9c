/** Checks of single request fields: their type and range. */
import { AloftError } from '../../core/errors.js';
import type { GenerateRequest } from '../../core/generate.js';
import { isWithin, rangeText } from '../../core/number-range.js';
import { type RequestLimitName, requireWithin } from '../../core/request-limits.js';
import {
  byName,
  LOGIT_BIAS_RANGE,
  type NumberRange,
  SAMPLING_FIELD_NAMES,
  SAMPLING_FIELDS,
} from '../../core/sampling-fields.js';
import type { TokenLimits } from '../../core/token-batcher.js';

export function refuse(message: string): AloftError {
  return new AloftError('REQUEST_INVALID', message);
}

const COUNT: NumberRange = { isInteger: true, min: 1 };
const DURATION: NumberRange = { min: 0, isOpen: true };

/** Ranges that do not depend on the engine. */
const RANGES = {
  maxOutputTokens: { isInteger: true, min: 0 },
  ...byName(SAMPLING_FIELD_NAMES, (name) => SAMPLING_FIELDS[name].range),
  sequenceCount: COUNT,
  bestOf: COUNT,
  truncatePromptTokens: COUNT,
  priority: { isInteger: true, min: -(2 ** 31), max: 2 ** 31 - 1 },
  queueTimeoutMs: DURATION,
  deadlineMs: DURATION,
} as const satisfies Partial<Record<keyof GenerateRequest, NumberRange>>;

const MAX_SEED = 2n ** 64n - 1n;

/** Checks every field by itself. @throws {AloftError} REQUEST_INVALID */
export function checkFields(request: GenerateRequest, limits: TokenLimits): void {
  for (const [field, range] of Object.entries(RANGES))
    checkNumber(field, request[field as keyof typeof RANGES], range);
  for (const field of ['logprobs', 'promptLogprobs'] as const)
    checkNumber(field, request[field], { isInteger: true, min: 0, max: limits.maxTopLogprobs });
  checkWords(request);
  checkSeed(request.seed);
  checkTokens('endIds', request.endIds, limits.vocabulary);
  for (const field of ['stopTokenLists', 'badTokenLists'] as const)
    checkTokenLists(field, request[field] ?? [], limits.vocabulary);
  checkLogitBias(request.logitBias, limits.vocabulary);
}

/** Every entry must be a token id of the model. @throws {AloftError} REQUEST_INVALID */
export function checkTokens(field: string, tokenIds: Iterable<number> | undefined, vocabulary: number): void {
  let index = 0;
  for (const id of tokenIds ?? []) {
    if (!Number.isInteger(id) || id < 0 || id >= vocabulary)
      throw refuse(`${field}[${index}] is ${id}, but token ids of this model are 0 to ${vocabulary - 1}.`);
    index++;
  }
}

export function checkNumber(field: string, value: unknown, range: NumberRange): void {
  if (value === undefined || isWithin(value, range)) return;
  throw refuse(`${field} must be ${rangeText(range)}, but is ${show(value)}.`);
}

function show(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value) : String(value);
}

function checkTokenLists(field: string, lists: readonly (readonly number[])[], vocabulary: number): void {
  requireWithin('tokenLists', lists.length, field);
  requireTotal('tokenListIds', field, lists);
  for (const [i, list] of lists.entries()) {
    if (list.length === 0) throw refuse(`${field}[${i}] is empty; remove it or give its tokens.`);
    checkTokens(`${field}[${i}]`, list, vocabulary);
  }
}

/**
 * Checks the words of a request before they are tokenised: every bad word costs several calls of the tokenizer.
 * @throws {AloftError} REQUEST_INVALID
 */
export function checkWords(request: GenerateRequest): void {
  for (const field of ['stop', 'badWords'] as const) checkTexts(field, request[field] ?? []);
}

function checkTexts(field: string, texts: readonly unknown[]): void {
  requireWithin('words', texts.length, field);
  for (const [i, text] of texts.entries()) {
    if (typeof text !== 'string' || text === '')
      throw refuse(`${field}[${i}] must be text of at least one character; remove it or fill it.`);
    requireWithin('wordCharacters', text.length, `${field}[${i}]`);
  }
  requireTotal('wordsCharacters', field, texts as readonly string[]);
}

function requireTotal(
  limit: RequestLimitName,
  field: string,
  parts: readonly { readonly length: number }[],
): void {
  requireWithin(
    limit,
    parts.reduce((sum, { length }) => sum + length, 0),
    field,
  );
}

function checkSeed(seed: unknown): void {
  if (seed === undefined || (typeof seed === 'bigint' && seed >= 0n && seed <= MAX_SEED)) return;
  throw refuse(`seed must be a BigInt from 0 to ${MAX_SEED}, but is ${show(seed)}.`);
}

function checkLogitBias(bias: Readonly<Record<number, number>> | undefined, vocabulary: number): void {
  for (const [key, value] of Object.entries(bias ?? {})) {
    const id = Number(key);
    if (!Number.isInteger(id) || id < 0 || id >= vocabulary)
      throw refuse(`logitBias names token ${key}, but token ids of this model are 0 to ${vocabulary - 1}.`);
    checkNumber(`logitBias[${key}]`, value, LOGIT_BIAS_RANGE);
  }
}
