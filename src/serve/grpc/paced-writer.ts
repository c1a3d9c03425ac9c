/** Writes to a stream no faster than its client reads. */
import { Metadata, type ServerDuplexStream } from '@grpc/grpc-js';
import type { ServerHttp2Stream } from 'node:http2';
import { AloftError } from '../../core/errors.js';
import type { Outgoing } from '../../protocol/grpc/service.js';

export class PacedWriter {
  readonly #stream: ServerDuplexStream<Outgoing, Outgoing>;
  readonly #raw: ServerHttp2Stream;
  readonly #writeTimeoutMs: number;
  /** Shared by all requests of the stream that wait. */
  #draining: Promise<void> | undefined;

  /** @param raw the HTTP/2 stream below `stream` */
  constructor(
    stream: ServerDuplexStream<Outgoing, Outgoing>,
    raw: ServerHttp2Stream,
    writeTimeoutMs: number,
  ) {
    this.#stream = stream;
    this.#raw = raw;
    this.#writeTimeoutMs = writeTimeoutMs;
  }

  /**
   * @param frames one message or several, each with the five bytes before it
   * @returns a promise when the client does not keep up; it resolves when it has caught up, and rejects as this throws.
   * @throws {AloftError} CANCELLED when the client is gone, SLOW_READER when it takes nothing for too long.
   */
  write(frames: Uint8Array): Promise<void> | undefined {
    const stream = this.#stream;
    const raw = this.#raw;
    // The library ends the lower stream by itself when the deadline has passed.
    if (stream.cancelled || stream.destroyed || raw.destroyed || raw.writableEnded)
      throw new AloftError('CANCELLED', 'The client ended the stream.');
    if (!raw.headersSent) stream.sendMetadata(new Metadata());
    if (raw.write(frames)) return undefined;
    this.#draining ??= this.#drained();
    return this.#draining;
  }

  async #drained(): Promise<void> {
    const stream = this.#stream;
    const raw = this.#raw;
    try {
      await new Promise<void>((resolve, reject) => {
        const settle = (error?: AloftError) => {
          clearTimeout(timer);
          raw.off('drain', onDrain);
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
        raw.once('drain', onDrain);
        stream.once('cancelled', onCancelled);
      });
    } finally {
      this.#draining = undefined;
    }
  }
}
