/**
 * Requests that a client sends on one connection without waiting for answers (pipelining). The parser hands over all that one
 * reading of the socket brings, thousands of them, before anybody else has a turn.
 */
import type { FastifyInstance } from 'fastify';
import type { Duplex } from 'node:stream';

/** More than clients that pipeline send ahead; few do. */
const MAX_OPEN_REQUESTS = 32;

/** Requests of each connection that are not answered. */
export class OpenRequests {
  readonly #counts = new WeakMap<Duplex, number>();

  count(socket: Duplex): number {
    return this.#counts.get(socket) ?? 0;
  }

  add(socket: Duplex, count: number): void {
    this.#counts.set(socket, this.count(socket) + count);
  }
}

/** Closes connections with more requests that are not answered. */
export function limitPipelines(app: FastifyInstance, open: OpenRequests): void {
  app.addHook('onRequest', (request, reply, done) => {
    const { socket } = request.raw;
    open.add(socket, 1);
    reply.raw.once('close', () => open.add(socket, -1));
    if (open.count(socket) <= MAX_OPEN_REQUESTS) return done();
    // An answer would have to wait for those to the requests before.
    reply.hijack();
    socket.destroy();
  });
}
