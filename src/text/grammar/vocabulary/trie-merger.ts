import type { TokenTrie } from '../../../core/constraint.js';
import { sizeUnder, type TriePlace } from './token-trie.js';

/** A trie of all texts that lie under several places, counted from each; tokens at the places themselves are left out. */
export function mergedTrie(places: readonly TriePlace[]): TokenTrie {
  return new TrieMerger(places).merge(places);
}

const tokensUnder = ({ trie, node }: TriePlace): number =>
  trie.tokenStarts[trie.ends[node]!]! - trie.tokenStarts[node + 1]!;

/** Writes the nodes of several tries into one. Where only one has texts, its nodes are copied as they stand. */
class TrieMerger {
  readonly #bytes: Uint8Array;
  readonly #depths: Uint16Array;
  readonly #ends: Int32Array;
  readonly #tokenStarts: Int32Array;
  readonly #tokenIds: Int32Array;
  #count = 0;
  #tokenCount = 0;
  #maxDepth = 0;

  constructor(places: readonly TriePlace[]) {
    const maxCount = 1 + places.reduce((sum, place) => sum + sizeUnder(place), 0);
    this.#bytes = new Uint8Array(maxCount);
    this.#depths = new Uint16Array(maxCount);
    this.#ends = new Int32Array(maxCount);
    this.#tokenStarts = new Int32Array(maxCount + 1);
    this.#tokenIds = new Int32Array(places.reduce((sum, place) => sum + tokensUnder(place), 0));
  }

  merge(places: readonly TriePlace[]): TokenTrie {
    const root = this.#open(0, 0);
    this.#mergeUnder(places, 0);
    this.#ends[root] = this.#count;
    this.#tokenStarts[this.#count] = this.#tokenCount;
    return {
      bytes: this.#bytes.subarray(0, this.#count),
      depths: this.#depths.subarray(0, this.#count),
      ends: this.#ends.subarray(0, this.#count),
      tokenStarts: this.#tokenStarts.subarray(0, this.#count + 1),
      tokenIds: this.#tokenIds,
      maxDepth: this.#maxDepth,
    };
  }

  #open(byte: number, depth: number): number {
    const node = this.#count++;
    this.#bytes[node] = byte;
    this.#depths[node] = depth;
    this.#tokenStarts[node] = this.#tokenCount;
    if (depth > this.#maxDepth) this.#maxDepth = depth;
    return node;
  }

  #mergeUnder(places: readonly TriePlace[], depth: number): void {
    if (places.length === 1) return this.#copyUnder(places[0]!, depth);
    const alike = new Map<number, TriePlace[]>();
    for (const { trie, node } of places) {
      const last = trie.ends[node]!;
      for (let child = node + 1; child < last; child = trie.ends[child]!) {
        const list = alike.get(trie.bytes[child]!);
        if (list === undefined) alike.set(trie.bytes[child]!, [{ trie, node: child }]);
        else list.push({ trie, node: child });
      }
    }
    for (const byte of Uint8Array.from(alike.keys()).toSorted()) {
      const children = alike.get(byte)!;
      const node = this.#open(byte, depth + 1);
      for (const child of children) this.#takeTokens(child);
      this.#mergeUnder(children, depth + 1);
      this.#ends[node] = this.#count;
    }
  }

  #takeTokens({ trie, node }: TriePlace): void {
    for (let i = trie.tokenStarts[node]!; i < trie.tokenStarts[node + 1]!; i++)
      this.#tokenIds[this.#tokenCount++] = trie.tokenIds[i]!;
  }

  #copyUnder({ trie, node }: TriePlace, depth: number): void {
    const [first, last] = [node + 1, trie.ends[node]!];
    if (first === last) return;
    const shift = this.#count - first;
    const lift = depth - trie.depths[node]!;
    const firstToken = trie.tokenStarts[first]!;
    const tokenShift = this.#tokenCount - firstToken;
    for (let at = first; at < last; at++) {
      const copied = at + shift;
      const lifted = trie.depths[at]! + lift;
      this.#bytes[copied] = trie.bytes[at]!;
      this.#depths[copied] = lifted;
      this.#ends[copied] = trie.ends[at]! + shift;
      this.#tokenStarts[copied] = trie.tokenStarts[at]! + tokenShift;
      if (lifted > this.#maxDepth) this.#maxDepth = lifted;
    }
    const lastToken = trie.tokenStarts[last]!;
    for (let i = firstToken; i < lastToken; i++) this.#tokenIds[i + tokenShift] = trie.tokenIds[i]!;
    this.#count = last + shift;
    this.#tokenCount = lastToken + tokenShift;
  }
}
