/** Bytes that things may hold together, such as the bodies of all open requests. */
import { AloftError } from '../../core/errors.js';

export class ByteBudget {
  readonly #maxBytes: number;
  readonly #refusal: (bytes: number, maxBytes: number) => string;
  #bytes = 0;

  /** @param refusal sentence that says of which bytes there are too many */
  constructor(maxBytes: number, refusal = bodiesRefusal) {
    this.#maxBytes = maxBytes;
    this.#refusal = refusal;
  }

  /** Bytes that are held. */
  get bytes(): number {
    return this.#bytes;
  }

  /** @throws {AloftError} SERVER_BUSY beyond the budget; nothing is held then */
  hold(byteCount: number): void {
    if (this.#bytes + byteCount > this.#maxBytes)
      throw new AloftError('SERVER_BUSY', this.#refusal(this.#bytes, this.#maxBytes));
    this.#bytes += byteCount;
  }

  release(byteCount: number): void {
    this.#bytes -= byteCount;
  }
}

const bodiesRefusal = (bytes: number, maxBytes: number): string =>
  `Requests that are being answered hold ${bytes} of ${maxBytes} bytes; retry later.`;
