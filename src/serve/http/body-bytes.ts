/** Bytes of a body as they come. A client may send them one by one, and each piece that the parser hands over takes hundreds. */
const BLOCK_BYTES = 16 * 2 ** 10;
/** Pieces that any body may come in, and bytes that more of them have on average: each costs a turn of the parser. */
const FREE_PIECES = 4096;
const LEAST_PIECE_BYTES = 64;

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

  /** True when the bytes come in so many pieces that taking them costs more than what they are for. */
  get isCrumbled(): boolean {
    return this.#pieceCount > FREE_PIECES + this.#byteCount / LEAST_PIECE_BYTES;
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
