/** @param bits one for each id of the vocabulary */
export function setBits(bits: Int32Array, ids: Int32Array): void {
  for (let i = 0; i < ids.length; i++) bits[ids[i]! >> 5]! |= 1 << (ids[i]! & 31);
}

/** Ids in the order in which they were found. It keeps its memory from one search to the next. */
export class IdList {
  #ids = new Int32Array(4096);
  #count = 0;

  /** Valid until the list is cleared. */
  get taken(): Int32Array {
    return this.#ids.subarray(0, this.#count);
  }

  cleared(): this {
    this.#count = 0;
    return this;
  }

  /** Adds `source[start]` to `source[end - 1]`. */
  add(source: Int32Array, start: number, end: number): void {
    if (this.#count + end - start > this.#ids.length) this.#grow(this.#count + end - start);
    for (let i = start; i < end; i++) this.#ids[this.#count++] = source[i]!;
  }

  #grow(count: number): void {
    const larger = new Int32Array(2 * count);
    larger.set(this.#ids);
    this.#ids = larger;
  }
}
