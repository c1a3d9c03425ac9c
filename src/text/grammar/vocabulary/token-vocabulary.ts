import { isUtf8 } from 'node:buffer';
import type { TokenSlice, TokenVocabulary } from '../../../core/constraint.js';
import { buildTrie, shared, sortTokens, type TokenBytes } from './token-trie.js';

/** Characters of the tokens in the short slice: most tokens have fewer. */
const SHORT_CHARACTERS = 10;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Bytes of the tokens of a model. */
export interface VocabularySource {
  readonly key: string;
  /** Tokens of the model: at most so many ids can be sampled. */
  readonly vocabulary: number;
  /** Bytes of a token in the middle of a text; empty where no text has the token. */
  readonly bytesOf: (id: number) => Uint8Array;
  /** Bytes of a token at the start of a text, if they are others there. */
  readonly firstBytesOf: ((id: number) => Uint8Array) | undefined;
}

/** Everything that masks need, in memory that threads share. About 0.3 s for 128,000 tokens. */
export function buildVocabulary({
  key,
  vocabulary,
  bytesOf,
  firstBytesOf,
}: VocabularySource): TokenVocabulary {
  const tokens = Array.from({ length: vocabulary }, (_, id) => ({ id, bytes: bytesOf(id) }));
  const lengths = tokens.map(({ bytes }) => plainCharacters(bytes));
  const longest = lengths.reduce((most, length) => Math.max(most, length), 0);
  const sorted = sortTokens(tokens);
  const { offsets, bytes } = concatenate(tokens);
  const firstTokens =
    firstBytesOf && Array.from({ length: vocabulary }, (_, id) => ({ id, bytes: firstBytesOf(id) }));
  return {
    key,
    vocabulary,
    trie: buildTrie(sorted),
    slices: [...new Set([longest, Math.min(longest, SHORT_CHARACTERS)])]
      .filter((length) => length > 0)
      .map((length) => sliceOf(sorted, lengths, { vocabulary, maxCharacters: length })),
    tokenOffsets: offsets,
    tokenBytes: bytes,
    first: firstTokens && { trie: buildTrie(sortTokens(firstTokens)), ...concatenate(firstTokens) },
  };
}

/** @param lengths [vocabulary] plain characters of each token; 0 for tokens that have others */
function sliceOf(
  sorted: readonly TokenBytes[],
  lengths: readonly number[],
  { vocabulary, maxCharacters }: { readonly vocabulary: number; readonly maxCharacters: number },
): TokenSlice {
  const mask = new Int32Array(Math.ceil(vocabulary / 32));
  const isIn = ({ id }: TokenBytes): boolean => lengths[id]! > 0 && lengths[id]! <= maxCharacters;
  for (const token of sorted) if (isIn(token)) mask[token.id >> 5]! |= 1 << (token.id & 31);
  return { maxCharacters, mask: shared(mask), others: buildTrie(sorted.filter((token) => !isIn(token))) };
}

/** Number of characters of a token that is made of plain characters alone; 0 for others. */
function plainCharacters(bytes: Uint8Array): number {
  let count = 0;
  let isAscii = true;
  for (const byte of bytes) {
    if (byte < 0x20 || byte === QUOTE || byte === BACKSLASH) return 0;
    if (byte > 0x7f) isAscii = false;
    if ((byte & 0xc0) !== 0x80) count++;
  }
  return isAscii || isUtf8(bytes) ? count : 0;
}

function concatenate(tokens: readonly TokenBytes[]): { offsets: Uint32Array; bytes: Uint8Array } {
  const offsets = new Uint32Array(tokens.length + 1);
  for (const [i, { bytes }] of tokens.entries()) offsets[i + 1] = offsets[i]! + bytes.length;
  const all = new Uint8Array(offsets[tokens.length]!);
  for (const [i, { bytes }] of tokens.entries()) all.set(bytes, offsets[i]);
  return { offsets: shared(offsets), bytes: shared(all) };
}
