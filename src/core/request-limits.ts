/**
 * Limits of what one request may hold, checked before anything is built from it. All doors read this table, and
 * docs/reference/limits.md prints it. They lie far above what clients send, and low enough that a request at all of its limits
 * keeps the thread that answers everybody for less than a tenth of a second.
 */
import { AloftError } from './errors.js';

interface RequestLimit {
  readonly max: number;
  readonly unit: string;
  /** Thing that is counted. */
  readonly of: string;
}

export const REQUEST_LIMITS = {
  jsonBytes: { max: 4 * 2 ** 20, unit: 'bytes', of: 'JSON of an inference request, without binary tensors' },
  controlBytes: { max: 2 ** 20, unit: 'bytes', of: 'body of a request that is no inference' },
  jsonDepth: { max: 64, unit: 'levels', of: 'nesting of JSON' },
  jsonMembers: { max: 16_384, unit: 'members', of: 'members of all objects of a JSON body' },
  jsonValues: { max: 262_144, unit: 'values', of: 'values of a JSON body' },
  messageFields: {
    max: 262_144,
    unit: 'fields',
    of: 'fields and elements of a gRPC message, without raw contents',
  },
  messageParts: { max: 4096, unit: 'messages', of: 'messages and map entries within a gRPC message' },
  bytesElements: { max: 65_536, unit: 'elements', of: 'elements of a BYTES tensor' },
  tensorNumbers: { max: 2 ** 20, unit: 'numbers', of: 'numbers of all tensors of a request' },
  biases: { max: 131_072, unit: 'biases', of: 'biases that are not zero, of all rows of a request' },
  logits: {
    max: 2 ** 26,
    unit: 'logits',
    of: 'logits that a request asks for, with the most tokens that it may get',
  },
  answerLogprobs: {
    max: 262_144,
    unit: 'log probabilities',
    of: 'log probabilities, alternatives among them, of an answer that is not streamed',
  },
  jsonElements: { max: 65_536, unit: 'elements', of: 'elements of a tensor that is answered as JSON' },
  words: { max: 256, unit: 'words', of: 'stop words, or bad words, of a request' },
  wordCharacters: { max: 1024, unit: 'characters', of: 'one stop word or bad word' },
  lineCharacters: { max: 32_768, unit: 'characters', of: 'line or JSON list of words in one element' },
  wordsCharacters: { max: 16_384, unit: 'characters', of: 'all stop words, or bad words, of a request' },
  tokenLists: { max: 1024, unit: 'lists', of: 'stop token lists, or bad token lists, of a request' },
  tokenListIds: { max: 16_384, unit: 'ids', of: 'token ids of all stop, or bad, token lists of a request' },
  messages: { max: 2048, unit: 'messages', of: 'messages of a chat' },
  contentParts: { max: 256, unit: 'parts', of: 'content parts of one message' },
  tools: { max: 256, unit: 'tools', of: 'tools of a chat' },
  toolCharacters: { max: 400_000, unit: 'characters', of: 'JSON of the schemas of all tools' },
  prompts: { max: 256, unit: 'prompts', of: 'prompts of one completions request' },
  inputs: { max: 2048, unit: 'inputs', of: 'inputs of one embeddings request' },
  codecBytes: { max: 2 ** 20, unit: 'bytes of text', of: 'texts of a request to a preprocessing model' },
  codecIds: { max: 262_144, unit: 'ids', of: 'token ids of a request to a postprocessing model' },
  codecRows: { max: 4096, unit: 'sequences', of: 'sequences of a request to a postprocessing model' },
  idCharacters: { max: 256, unit: 'characters', of: 'request id, cache salt or model name' },
} as const satisfies Readonly<Record<string, RequestLimit>>;

export type RequestLimitName = keyof typeof REQUEST_LIMITS;

/** @throws {AloftError} REQUEST_INVALID when `count` is beyond the limit */
export function requireWithin(name: RequestLimitName, count: number, field: string): void {
  const { max, unit } = REQUEST_LIMITS[name];
  if (count > max) throw beyondLimit(name, field, `${count} ${unit}`);
}

/** Refusal of something that is beyond its limit. @param found amount that was found; absent where counting stopped */
export function beyondLimit(name: RequestLimitName, field: string, found?: string): AloftError {
  const { max, unit } = REQUEST_LIMITS[name];
  const has = found === undefined ? `more than ${max} ${unit}` : found;
  return new AloftError(
    'REQUEST_INVALID',
    `${field} has ${has}, but at most ${max} are accepted; send less.`,
  );
}
