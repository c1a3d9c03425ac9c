/** Bytes that all open requests may hold together. */
import { AloftError } from '../../core/errors.js';

export class ByteBudget {
  readonly #maxBytes: number;
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes that are held. */
  get bytes(): number {
    return this.#bytes;
  }

  /** @throws {AloftError} SERVER_BUSY beyond the budget; nothing is held then */
  hold(byteCount: number): void {
    if (this.#bytes + byteCount > this.#maxBytes) {
      const message = `Requests that are being answered hold ${this.#bytes} of ${this.#maxBytes} bytes; retry later.`;
      throw new AloftError('SERVER_BUSY', message);
    }
    this.#bytes += byteCount;
  }

  release(byteCount: number): void {
    this.#bytes -= byteCount;
  }
}
