/** A growable list of 32-bit integers that keeps its memory when cleared. */
export class Int32List {
  #values: Int32Array;
  #used = 0;

  constructor(initialCapacity = 16) {
    this.#values = new Int32Array(initialCapacity);
  }

  get length(): number {
    return this.#used;
  }

  at(index: number): number {
    return this.#values[index]!;
  }

  push(value: number): void {
    if (this.#used === this.#values.length) this.#grow();
    this.#values[this.#used++] = value;
  }

  pushPair(first: number, second: number): void {
    this.push(first);
    this.push(second);
  }

  /** Returns true if a pair of the list holds `value` as its first (`side` 0) or second (`side` 1) part. */
  pairsHave(value: number, side: 0 | 1): boolean {
    for (let i = side; i < this.#used; i += 2) if (this.#values[i] === value) return true;
    return false;
  }

  clear(): void {
    this.#used = 0;
  }

  /** The values in an array of exactly their count; the list is empty afterwards. */
  take(): Int32Array {
    const taken = this.#used === 0 ? EMPTY : this.#values.slice(0, this.#used);
    this.#used = 0;
    return taken;
  }

  #grow(): void {
    const grown = new Int32Array(this.#values.length * 2);
    grown.set(this.#values);
    this.#values = grown;
  }
}

const EMPTY = new Int32Array(0);
