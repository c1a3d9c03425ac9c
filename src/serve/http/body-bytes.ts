/** Bytes of a body as they come. A client may send them one by one, and each piece that the parser hands over takes hundreds. */
const BLOCK_BYTES = 16 * 2 ** 10;

export class BodyBytes {
  readonly #parts: Buffer[] = [];
  #block: Buffer | undefined;
  #usedBytes = 0;
  #byteCount = 0;
  #pieceCount = 0;

  get byteCount(): number {
    return this.#byteCount;
  }

  /** Takes a piece. The first and long ones are kept, others copied together. */
  push(piece: Buffer): void {
    const isFirst = this.#byteCount === 0;
    this.#byteCount += piece.length;
    this.#pieceCount++;
    if (isFirst || piece.length >= BLOCK_BYTES) {
      this.#closeBlock();
      this.#parts.push(piece);
    } else this.#copy(piece);
  }

  #copy(piece: Buffer): void {
    for (let from = 0; from < piece.length;) {
      if (this.#usedBytes === this.#block?.length) this.#closeBlock();
      this.#block ??= Buffer.allocUnsafeSlow(BLOCK_BYTES);
      const count = piece.copy(this.#block, this.#usedBytes, from);
      this.#usedBytes += count;
      from += count;
    }
  }

  #closeBlock(): void {
    if (this.#block !== undefined) this.#parts.push(this.#block.subarray(0, this.#usedBytes));
    this.#block = undefined;
    this.#usedBytes = 0;
  }

  get pieceCount(): number {
    return this.#pieceCount;
  }

  /** Number of buffers that hold the bytes. */
  get partCount(): number {
    return this.#parts.length + (this.#block === undefined ? 0 : 1);
  }

  /** All bytes, in one piece. */
  whole(): Buffer {
    this.#closeBlock();
    const [only] = this.#parts;
    return this.#parts.length === 1 && only !== undefined ? only : Buffer.concat(this.#parts);
  }
}
