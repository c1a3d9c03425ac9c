/** One client's connection: when it is gone, and writing no faster than it reads. */
import type { FastifyReply } from 'fastify';
import type { ServerResponse } from 'node:http';
import type { Writable } from 'node:stream';
import { AloftError } from '../../core/errors.js';

/** Aborts when the client closes the connection, or its half of it, before the answer is complete. */
export function clientSignal(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  const { raw } = reply;
  raw.once('close', () => {
    if (!raw.writableFinished) controller.abort();
  });
  if (raw.destroyed) controller.abort();
  return controller.signal;
}

/** An answer that is written in pieces. Nothing is sent before the first piece, so an error can still have its status. */
export class StreamedReply {
  readonly #raw: ServerResponse;
  readonly #writeTimeoutMs: number;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(
    reply: FastifyReply,
    options: { readonly writeTimeoutMs: number; readonly contentType: string },
  ) {
    reply.hijack();
    this.#raw = reply.raw;
    this.#writeTimeoutMs = options.writeTimeoutMs;
    // Headers that hooks have set, such as CORS.
    const earlier = Object.entries(reply.getHeaders()).map(([name, value]) => [name, String(value)]);
    this.#headers = {
      ...Object.fromEntries(earlier),
      'content-type': options.contentType,
      'cache-control': 'no-cache',
      // Proxies must not collect the stream: clients would see everything at its end.
      'x-accel-buffering': 'no',
    };
  }

  get isOpen(): boolean {
    return this.#raw.headersSent;
  }

  open(status = 200, headers: Readonly<Record<string, string>> = {}): void {
    if (!this.#raw.headersSent) this.#raw.writeHead(status, { ...this.#headers, ...headers });
  }

  /**
   * @param isLast The end follows at once and travels with it.
   * @returns a promise when the client does not keep up; it resolves when it has caught up, and rejects as this throws.
   * @throws {AloftError} CANCELLED when the client is gone, SLOW_READER when it takes nothing for too long.
   */
  write(text: string, isLast = false): Promise<void> | undefined {
    const raw = this.#raw;
    const { socket } = raw;
    if (raw.destroyed || socket?.writable === false)
      throw new AloftError('CANCELLED', 'The client closed the connection.');
    // The first piece travels with the headers. Later ones skip Node's HTTP layer, which makes four writes of each and
    // costs more than the system call. A response that waits behind another on its connection has no socket yet.
    const isDirect = raw.headersSent && raw.chunkedEncoding && socket !== null;
    this.open();
    if (isLast || !isDirect) socket?.cork();
    const isTaken = isDirect ? socket.write(httpChunk(text)) : raw.write(text);
    // Left to itself, Node sends the headers and a first piece when the whole callback is done. The end uncorks, too.
    if (!isLast && !isDirect) socket?.uncork();
    return isTaken ? undefined : this.#drained(socket ?? raw);
  }

  /** Ends the answer. A client that is gone is no fault. */
  end(): void {
    this.open();
    this.#raw.end();
  }

  /** Ends it with a last piece, whether or not the client keeps up. */
  endWith(text: string): void {
    this.open();
    this.#raw.end(text);
  }

  async #drained(writable: Writable): Promise<void> {
    const raw = this.#raw;
    await new Promise<void>((resolve, reject) => {
      const settle = (error?: AloftError) => {
        clearTimeout(timer);
        writable.off('drain', onDrain);
        raw.off('close', onClose);
        if (error === undefined) resolve();
        else reject(error);
      };
      const onDrain = () => settle();
      const onClose = () => settle(new AloftError('CANCELLED', 'The client closed the connection.'));
      const timer = setTimeout(() => {
        settle(new AloftError('SLOW_READER', `The client has read nothing for ${this.#writeTimeoutMs} ms.`));
        raw.destroy();
      }, this.#writeTimeoutMs);
      writable.once('drain', onDrain);
      raw.once('close', onClose);
    });
  }
}

/** A chunk of a chunked body (RFC 9112, section 7.1). */
function httpChunk(text: string): string {
  return `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
}
