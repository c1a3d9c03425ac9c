/** Writes to a stream no faster than its client reads. */
import type { ServerDuplexStream } from '@grpc/grpc-js';
import { AloftError } from '../../core/errors.js';
import type { Outgoing } from '../../protocol/grpc/service.js';

export class PacedWriter {
  readonly #stream: ServerDuplexStream<Outgoing, Outgoing>;
  readonly #writeTimeoutMs: number;
  /** Shared by all requests of the stream that wait. */
  #draining: Promise<void> | undefined;

  constructor(stream: ServerDuplexStream<Outgoing, Outgoing>, writeTimeoutMs: number) {
    this.#stream = stream;
    this.#writeTimeoutMs = writeTimeoutMs;
  }

  /**
   * @returns a promise when the client does not keep up; it resolves when it has caught up, and rejects as this throws.
   * @throws {AloftError} CANCELLED when the client is gone, SLOW_READER when it takes nothing for too long.
   */
  write(bytes: Uint8Array): Promise<void> | undefined {
    if (this.#stream.cancelled || this.#stream.destroyed)
      throw new AloftError('CANCELLED', 'The client ended the stream.');
    if (this.#stream.write(bytes)) return undefined;
    this.#draining ??= this.#drained();
    return this.#draining;
  }

  async #drained(): Promise<void> {
    const stream = this.#stream;
    try {
      await new Promise<void>((resolve, reject) => {
        const settle = (error?: AloftError) => {
          clearTimeout(timer);
          stream.off('drain', onDrain);
          stream.off('cancelled', onCancelled);
          if (error === undefined) resolve();
          else reject(error);
        };
        const onDrain = () => settle();
        const onCancelled = () => settle(new AloftError('CANCELLED', 'The client ended the stream.'));
        const onTimeout = () =>
          settle(
            new AloftError('SLOW_READER', `The client has read nothing for ${this.#writeTimeoutMs} ms.`),
          );
        const timer = setTimeout(onTimeout, this.#writeTimeoutMs);
        stream.once('drain', onDrain);
        stream.once('cancelled', onCancelled);
      });
    } finally {
      this.#draining = undefined;
    }
  }
}
