/** One client's connection: when it is gone, and writing no faster than it reads. */
import type { FastifyReply } from 'fastify';
import type { ServerResponse } from 'node:http';
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
  private readonly raw: ServerResponse;
  private readonly writeTimeoutMs: number;
  private readonly headers: Readonly<Record<string, string>>;

  constructor(
    reply: FastifyReply,
    options: { readonly writeTimeoutMs: number; readonly contentType: string },
  ) {
    reply.hijack();
    this.raw = reply.raw;
    this.writeTimeoutMs = options.writeTimeoutMs;
    // Headers that hooks have set, such as CORS.
    const earlier = Object.entries(reply.getHeaders()).map(([name, value]) => [name, String(value)]);
    this.headers = {
      ...Object.fromEntries(earlier),
      'content-type': options.contentType,
      'cache-control': 'no-cache',
      // Proxies must not collect the stream: clients would see everything at its end.
      'x-accel-buffering': 'no',
    };
  }

  get isOpen(): boolean {
    return this.raw.headersSent;
  }

  open(status = 200, headers: Readonly<Record<string, string>> = {}): void {
    if (!this.raw.headersSent) this.raw.writeHead(status, { ...this.headers, ...headers });
  }

  /**
   * Resolves at once while the client keeps up, otherwise when it has caught up.
   * @throws {AloftError} CANCELLED when it is gone, SLOW_READER when it takes nothing for too long.
   */
  async write(text: string): Promise<void> {
    this.open();
    if (this.raw.destroyed) throw new AloftError('CANCELLED', 'The client closed the connection.');
    if (this.raw.write(text)) return;
    await this.drained();
  }

  end(): void {
    this.open();
    this.raw.end();
  }

  private async drained(): Promise<void> {
    const { raw } = this;
    await new Promise<void>((resolve, reject) => {
      const settle = (error?: AloftError) => {
        clearTimeout(timer);
        raw.off('drain', onDrain);
        raw.off('close', onClose);
        if (error === undefined) resolve();
        else reject(error);
      };
      const onDrain = () => settle();
      const onClose = () => settle(new AloftError('CANCELLED', 'The client closed the connection.'));
      const timer = setTimeout(() => {
        settle(new AloftError('SLOW_READER', `The client has read nothing for ${this.writeTimeoutMs} ms.`));
        raw.destroy();
      }, this.writeTimeoutMs);
      raw.once('drain', onDrain);
      raw.once('close', onClose);
    });
  }
}
