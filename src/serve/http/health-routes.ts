/** GET /v2/health/live, /v2/health/ready, /v2/models/M/ready */
import type { FastifyInstance } from 'fastify';
import type { ServerContext } from '../server-context.js';
import { errorBody, sendJson } from './reply.js';
import { modelOf, modelRoute, route } from './route.js';

/** The server is live as long as this runs. Not ready is 503 with the reason; probes only look at the status. */
export function healthRoutes(app: FastifyInstance, { health }: ServerContext): void {
  route(app, '/v2/health/live', { GET: (_, reply) => reply.code(200).send() });
  const ready: Parameters<typeof route>[2] = {
    GET: (_, reply) => {
      const reason = health.notReadyReason();
      return reason === undefined
        ? reply.code(200).send()
        : sendJson(reply.header('retry-after', 1), errorBody(reason), 503);
    },
  };
  route(app, '/v2/health/ready', ready);
  route(app, '/health', ready);
  modelRoute(app, '/ready', {
    GET: (request, reply) => {
      const { name, version } = modelOf(request);
      if (health.isModelReady(name, version)) return reply.code(200).send();
      return sendJson(reply, errorBody('Model version not ready'), 400);
    },
  });
}
