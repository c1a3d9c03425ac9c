/** Checks of a request before its body is read: the browser that sends it, and the caller's rights. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { AccessGroup, Credentials } from '../context/access.js';
import type { ServerContext } from '../context/server-context.js';
import { BrowserRules } from './browser-rules.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Rights that the route needs. Absent, as for paths without a route: those of inference. */
    access?: AccessGroup;
  }
}

export function guard(app: FastifyInstance, { options, access }: ServerContext): void {
  const { corsOrigins, allowedHosts, http } = options;
  const checksHost = !access.hasKeys;
  const rules = new BrowserRules({ corsOrigins, allowedHosts, host: http.host, checksHost });
  app.addHook('onRequest', async (request, reply) => {
    const { origin } = request.headers;
    if (rules.isAllowedOrigin(origin)) {
      reply.header('access-control-allow-origin', origin).header('vary', 'origin');
      if (request.method === 'OPTIONS') return await answerPreflight(reply);
    }
    const group = request.routeOptions.config.access ?? 'inference';
    rules.check(request.headers, group === 'page');
    access.require(group, credentialsOf(request));
  });
}

async function answerPreflight(reply: FastifyReply): Promise<FastifyReply> {
  const headers = 'authorization, x-api-key, content-type, inference-header-content-length';
  return await reply
    .header('access-control-allow-methods', 'GET, POST')
    .header('access-control-allow-headers', headers)
    .header('access-control-max-age', '600')
    .code(204)
    .send();
}

export function credentialsOf(request: FastifyRequest): Credentials {
  const plainKey = request.headers['x-api-key'];
  return {
    authorization: request.headers.authorization,
    plainKey: typeof plainKey === 'string' ? plainKey : undefined,
  };
}
