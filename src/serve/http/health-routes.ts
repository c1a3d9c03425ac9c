/** GET /v2/health/live, /v2/health/ready, /v2/models/M/ready */
import type { FastifyInstance } from 'fastify';
import type { ServerContext } from '../context/server-context.js';
import { errorBody, sendJson } from './reply.js';
import { modelOf, modelRoute, route, type Handler } from './route.js';

const HEALTH = { access: 'health' } as const;

/**
 * Not live is a server with an engine that has stopped for good: nothing but a restart helps, and supervisors restart
 * what is not live. Both answer 503 with the reason; probes only look at the status.
 */
export function healthRoutes(app: FastifyInstance, { health }: ServerContext): void {
  const probe = (reasonAgainst: () => string | undefined): Parameters<typeof route>[2] => ({
    GET: (_, reply) => {
      const reason = reasonAgainst();
      return reason === undefined
        ? reply.code(200).header('content-length', 0).send()
        : sendJson(reply.header('retry-after', 1), errorBody(reason), 503);
    },
  });
  const ready = probe(() => health.notReadyReason());
  route(
    app,
    '/v2/health/live',
    probe(() => health.notLiveReason()),
    HEALTH,
  );
  route(app, '/v2/health/ready', ready, HEALTH);
  route(app, '/health', ready, HEALTH);
  const modelReady: Handler = (request, reply) => {
    const { name, version } = modelOf(request);
    if (health.isModelReady(name, version)) return reply.code(200).header('content-length', 0).send();
    return sendJson(reply, errorBody('Model version not ready'), 400);
  };
  modelRoute(app, '/ready', { GET: modelReady }, HEALTH);
}
