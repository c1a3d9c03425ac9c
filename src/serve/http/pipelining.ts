/**
 * Requests that a client sends on one connection without waiting for answers (pipelining). The parser hands over all that one
 * reading of the socket brings, thousands of them, before anybody else has a turn.
 */
import type { FastifyInstance } from 'fastify';
import type { Socket } from 'node:net';

/** More than clients that pipeline send ahead; few do. */
const MAX_OPEN_REQUESTS = 32;

/** Closes connections with more requests that are not answered. */
export function limitPipelines(app: FastifyInstance): void {
  const openCounts = new WeakMap<Socket, number>();
  app.addHook('onRequest', (request, reply, done) => {
    const { socket } = request.raw;
    const add = (count: number) => openCounts.set(socket, (openCounts.get(socket) ?? 0) + count);
    add(1);
    reply.raw.once('close', () => add(-1));
    if ((openCounts.get(socket) ?? 0) <= MAX_OPEN_REQUESTS) return done();
    // An answer would have to wait for those to the requests before.
    reply.hijack();
    socket.destroy();
  });
}
