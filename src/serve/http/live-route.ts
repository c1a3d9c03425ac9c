/** GET /aloft/live: server-sent events with the state of the batchers, for the playground and for curious people. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { sseFrame } from '../../protocol/sse.js';
import { liveSnapshot } from '../metrics/live-snapshot.js';
import type { ServerContext } from '../context/server-context.js';
import { clientSignal, StreamedReply } from './connection.js';
import { route, type Handler } from './route.js';

const INTERVAL_MS = 200;

export function liveRoute(app: FastifyInstance, context: ServerContext): void {
  const open: Handler = (request, reply) => live(context, request, reply);
  route(app, '/aloft/live', { GET: open }, { access: 'statistics' });
}

async function live(
  context: ServerContext,
  { method }: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const signal = clientSignal(reply);
  const { writeTimeoutMs } = context.options;
  const stream = new StreamedReply(reply, {
    writeTimeoutMs,
    contentType: 'text/event-stream; charset=utf-8',
  });
  try {
    while (method !== 'HEAD' && !signal.aborted && context.health.phase !== 'draining') {
      await stream.write(sseFrame(JSON.stringify(liveSnapshot(context))));
      await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS));
    }
  } catch {
    // A write ends only when the client is gone or reads nothing, so there is no one to answer.
  }
  stream.end();
  return reply;
}
