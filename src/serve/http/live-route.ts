/** GET /aloft/live: server-sent events with the state of the batchers, for the playground and for curious people. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { AloftError } from '../../core/errors.js';
import { sseFrame } from '../../protocol/sse.js';
import { liveSnapshot } from '../metrics/live-snapshot.js';
import type { ServerContext } from '../context/server-context.js';
import { clientSignal, StreamedReply } from './connection.js';
import { route, type Handler } from './route.js';

const INTERVAL_MS = 200;
/** Pages that look at the same time; each costs a message at every interval. */
const MAX_VIEWERS = 64;

export function liveRoute(app: FastifyInstance, context: ServerContext): void {
  const view = new LiveView(context);
  const open: Handler = (request, reply) => view.open(request, reply);
  route(app, '/aloft/live', { GET: open }, { access: 'statistics' });
}

/** All pages that look at the server. */
class LiveView {
  readonly #context: ServerContext;
  #viewerCount = 0;
  #frame = '';
  #frameMs = -Infinity;

  constructor(context: ServerContext) {
    this.#context = context;
  }

  /** @throws {AloftError} SERVER_BUSY */
  async open({ method }: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    if (this.#viewerCount >= MAX_VIEWERS)
      throw new AloftError('SERVER_BUSY', `${MAX_VIEWERS} pages look at the server; close one of them.`);
    this.#viewerCount++;
    try {
      return await this.#show(reply, method === 'HEAD');
    } finally {
      this.#viewerCount--;
    }
  }

  async #show(reply: FastifyReply, isHead: boolean): Promise<FastifyReply> {
    const { options, health } = this.#context;
    const signal = clientSignal(reply);
    const stream = new StreamedReply(reply, {
      writeTimeoutMs: options.writeTimeoutMs,
      contentType: 'text/event-stream; charset=utf-8',
    });
    try {
      while (!isHead && !signal.aborted && health.phase !== 'draining') {
        await stream.write(this.#currentFrame());
        await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS));
      }
    } catch {
      // A write ends only when the client is gone or reads nothing, so there is no one to answer.
    }
    stream.end();
    return reply;
  }

  /** The same for all viewers of an interval. */
  #currentFrame(): string {
    const nowMs = performance.now();
    if (nowMs - this.#frameMs >= INTERVAL_MS / 2) {
      this.#frame = sseFrame(JSON.stringify(liveSnapshot(this.#context)));
      this.#frameMs = nowMs;
    }
    return this.#frame;
  }
}
