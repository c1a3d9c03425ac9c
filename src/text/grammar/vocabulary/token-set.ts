/** @param bits one for each id of the vocabulary */
export function setBits(bits: Int32Array, ids: Int32Array): void {
  for (let i = 0; i < ids.length; i++) bits[ids[i]! >> 5]! |= 1 << (ids[i]! & 31);
}

/**
 * Tokens that are found one after the other: a list of ids, until it would be longer than a mask, and a mask from then on. The list
 * keeps its memory from one search to the next.
 */
export class TokenSet {
  readonly #ids: Int32Array;
  #count = 0;
  #bits: Int32Array | undefined;

  /** @param words 32-bit words of a mask */
  constructor(words: number) {
    this.#ids = new Int32Array(words);
  }

  /** The mask, if there is one. */
  get bits(): Int32Array | undefined {
    return this.#bits;
  }

  /** The list; valid until the set is cleared, and empty where there is a mask. */
  get ids(): Int32Array {
    return this.#ids.subarray(0, this.#count);
  }

  /** Starts anew. @param bits mask that takes the tokens; undefined: a list does */
  cleared(bits?: Int32Array): this {
    this.#count = 0;
    this.#bits = bits;
    return this;
  }

  /** Adds `source[start]` to `source[end - 1]`. */
  add(source: Int32Array, start: number, end: number): void {
    if (this.#bits === undefined && this.#count + end - start > this.#ids.length) this.#becomeMask();
    const bits = this.#bits;
    if (bits === undefined) for (let i = start; i < end; i++) this.#ids[this.#count++] = source[i]!;
    else for (let i = start; i < end; i++) bits[source[i]! >> 5]! |= 1 << (source[i]! & 31);
  }

  #becomeMask(): void {
    this.#bits = new Int32Array(this.#ids.length);
    setBits(this.#bits, this.ids);
    this.#count = 0;
  }
}
