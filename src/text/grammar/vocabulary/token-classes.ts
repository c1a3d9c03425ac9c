import { isAscii, isUtf8 } from 'node:buffer';
import type { TokenClass, TokenTails } from '../../../core/constraint.js';
import { type CodePoints, pairsOf, PLAIN_CHARACTERS, union } from '../code-points.js';
import { buildTrie, shared, sortTokens, type TokenBytes } from './token-trie.js';

/** Most characters that are told apart: nearly all tokens have fewer. */
const MAX_COUNTED = 24;

const LETTERS: CodePoints = [0x41, 0x5a, 0x61, 0x7a];
const LETTERS_AND_DIGITS: CodePoints = [0x30, 0x39, ...LETTERS];
/** Sets of characters in which parts of texts are often free, each in those before: JSON strings, identifiers, labels, words. */
const SETS: readonly CodePoints[] = [
  PLAIN_CHARACTERS,
  union(LETTERS_AND_DIGITS, [0x2d, 0x2d, 0x5f, 0x5f]),
  LETTERS_AND_DIGITS,
  LETTERS,
];

/** @param sorted as `sortTokens` does */
export function tokenClasses(sorted: readonly TokenBytes[], vocabulary: number): readonly TokenClass[] {
  return SETS.map((characters) => tokenClass(sorted, vocabulary, characters));
}

function tokenClass(sorted: readonly TokenBytes[], vocabulary: number, characters: CodePoints): TokenClass {
  const isIn = membership(characters);
  const lengths = sorted.map(({ bytes }) => characterCount(bytes, isIn));
  const others = sorted.filter((_, i) => lengths[i] === 0);
  const longest = lengths.reduce((most, length) => Math.max(most, length), 0);
  const upTo = [new Int32Array(Math.ceil(vocabulary / 32))];
  const counts = [0];
  for (let count = 1; count <= Math.min(longest, MAX_COUNTED); count++) {
    const mask = upTo.at(-1)!.slice();
    const added = sorted.filter((_, i) => lengths[i] === count);
    for (const { id } of added) mask[id >> 5]! |= 1 << (id & 31);
    upTo.push(mask);
    counts.push(counts.at(-1)! + added.length);
  }
  return {
    characters,
    upTo: upTo.map(shared),
    counts,
    longer: [...new Set([0, 6, 9, 12, upTo.length - 1])]
      .filter((than) => than < upTo.length)
      .map((than) => ({
        than,
        trie: buildTrie(sorted.filter((_, i) => lengths[i]! > than)),
      })),
    others: buildTrie(others),
    tails: characters === PLAIN_CHARACTERS ? tailsOf(others, isIn) : undefined,
  };
}

/** @param others tokens that are not made of members of the set alone */
function tailsOf(others: readonly TokenBytes[], isIn: Uint8Array): TokenTails {
  const behind: TokenBytes[][] = Array.from({ length: MAX_COUNTED + 1 }, () => []);
  const longer: TokenBytes[] = [];
  const tails = others.map(({ id, bytes }) => {
    const { count, byteCount } = membersAtStart(bytes, isIn);
    const tail = { id, bytes: bytes.subarray(byteCount) };
    if (count > MAX_COUNTED) longer.push({ id, bytes });
    else behind[count]!.push(tail);
    return tail;
  });
  return {
    behind: behind.map((tokens) => buildTrie(sortTokens(tokens))),
    longer: buildTrie(longer),
    any: buildTrie(sortTokens(tails)),
  };
}

/** Members of a set with which a token that is not made of them alone begins. */
function membersAtStart(
  bytes: Uint8Array,
  isIn: Uint8Array,
): { readonly count: number; readonly byteCount: number } {
  let count = 0;
  let at = 0;
  while (at < bytes.length && isIn[Math.min(bytes[at]!, 128)] === 1) {
    const length = characterBytes(bytes[at]!);
    if (length > 1 && (at + length > bytes.length || !isUtf8(bytes.subarray(at, at + length)))) break;
    at += length;
    count++;
  }
  return { count, byteCount: at };
}

/** Length of the character that a byte begins; a byte from the middle of one begins none, and no two of them are UTF-8. */
function characterBytes(first: number): number {
  if (first < 0x80) return 1;
  if (first < 0xe0) return 2;
  return first < 0xf0 ? 3 : 4;
}

/** [129] whether each character of one byte is in the set; the last: whether all others are. */
function membership(characters: CodePoints): Uint8Array {
  const isIn = new Uint8Array(129);
  for (const [first, last] of pairsOf(characters))
    isIn.fill(1, Math.min(first, 128), Math.min(last, 128) + 1);
  return isIn;
}

/** Number of characters of a token that is made of whole characters of a set; 0 for others. */
function characterCount(bytes: Uint8Array, isIn: Uint8Array): number {
  let count = 0;
  for (const byte of bytes) {
    if (isIn[Math.min(byte, 128)] === 0) return 0;
    if ((byte & 0xc0) !== 0x80) count++;
  }
  return isAscii(bytes) || isUtf8(bytes) ? count : 0;
}
