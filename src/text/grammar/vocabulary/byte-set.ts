import type { TriePlace } from './token-trie.js';

/** A set of bytes. */
export class ByteSet {
  /** Equal keys mean equal sets. */
  readonly key: string;
  readonly #bits: Uint32Array;

  /** @param bits 256 of them */
  constructor(bits: Uint32Array) {
    this.#bits = bits;
    this.key = bits.join();
  }

  /** Whether one of the bytes goes on from a place. */
  goesOnFrom({ trie, node }: TriePlace): boolean {
    const { bytes, ends } = trie;
    for (let child = node + 1; child < ends[node]!; child = ends[child]!)
      if ((this.#bits[bytes[child]! >> 5]! >>> (bytes[child]! & 31)) & 1) return true;
    return false;
  }
}

export const ANY_BYTE = new ByteSet(new Uint32Array(8).fill(0xffffffff));
