import type { TokenTrie } from '../../../core/constraint.js';

/** A token and its bytes. */
export interface TokenBytes {
  readonly id: number;
  readonly bytes: Uint8Array;
}

/** A typed array in memory that threads share. */
export function shared<T extends Uint8Array | Uint16Array | Int32Array | Uint32Array>(source: T): T {
  const memory = new SharedArrayBuffer(Math.max(source.byteLength, 1));
  const copy = new (source.constructor as new (
    buffer: SharedArrayBuffer,
    offset: number,
    length: number,
  ) => T)(memory, 0, source.length);
  copy.set(source);
  return copy;
}

/** Tokens that have bytes, in the order of a trie. */
export function sortTokens(tokens: readonly TokenBytes[]): readonly TokenBytes[] {
  return tokens
    .filter(({ bytes }) => bytes.length > 0)
    .toSorted((a, b) => Buffer.compare(a.bytes, b.bytes) || a.id - b.id);
}

/** @param sorted as {@link sortTokens} does */
export function buildTrie(sorted: readonly TokenBytes[]): TokenTrie {
  const nodes = new NodeList(1 + sorted.reduce((sum, { bytes }) => sum + bytes.length, 0));
  let before: Uint8Array = new Uint8Array(0);
  for (const { bytes } of sorted) {
    let same = 0;
    while (same < before.length && same < bytes.length && before[same] === bytes[same]) same++;
    for (let depth = same; depth < bytes.length; depth++) nodes.add(bytes[depth]!, depth + 1);
    nodes.countToken();
    before = bytes;
  }
  return sharedTrie(nodes.finish(Int32Array.from(sorted, ({ id }) => id)));
}

/** A node of a trie. */
export interface TriePlace {
  readonly trie: TokenTrie;
  readonly node: number;
}

/** Number of nodes under a place. */
export const sizeUnder = ({ trie, node }: TriePlace): number => trie.ends[node]! - node - 1;

/** The same trie in memory that threads share. */
function sharedTrie(trie: TokenTrie): TokenTrie {
  const { bytes, depths, ends, tokenStarts, tokenIds, maxDepth } = trie;
  return {
    bytes: shared(bytes),
    depths: shared(depths),
    ends: shared(ends),
    tokenStarts: shared(tokenStarts),
    tokenIds: shared(tokenIds),
    maxDepth,
  };
}

class NodeList {
  readonly #bytes: Uint8Array;
  readonly #depths: Uint16Array;
  readonly #tokenStarts: Int32Array;
  #count = 0;
  #tokenCount = 0;

  constructor(maxCount: number) {
    this.#bytes = new Uint8Array(maxCount);
    this.#depths = new Uint16Array(maxCount);
    this.#tokenStarts = new Int32Array(maxCount + 1);
    this.add(0, 0);
  }

  add(byte: number, depth: number): void {
    this.#bytes[this.#count] = byte;
    this.#depths[this.#count] = depth;
    this.#tokenStarts[this.#count++] = this.#tokenCount;
  }

  /** The next token ends at the last node. */
  countToken(): void {
    this.#tokenCount++;
  }

  finish(tokenIds: Int32Array): TokenTrie {
    const count = this.#count;
    const depths = this.#depths.subarray(0, count);
    const ends = new Int32Array(count).fill(count);
    const open = new Int32Array(2 ** 16);
    let openCount = 0;
    for (let node = 0; node < count; node++) {
      while (openCount > depths[node]!) ends[open[--openCount]!] = node;
      open[openCount++] = node;
    }
    this.#tokenStarts[count] = this.#tokenCount;
    return {
      bytes: this.#bytes.subarray(0, count),
      depths,
      ends,
      tokenStarts: this.#tokenStarts.subarray(0, count + 1),
      tokenIds,
      maxDepth: depths.reduce((most, depth) => Math.max(most, depth), 0),
    };
  }
}
