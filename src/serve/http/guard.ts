/** Checks of a request before its body is read: the browser that sends it, and the caller's rights. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { AccessGroup, Credentials } from '../context/access.js';
import type { ServerContext } from '../context/server-context.js';
import { BrowserRules } from './browser-rules.js';
import { allowOrigin, answerPreflight } from './preflight.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Rights that the route needs. Absent, as for paths without a route: those of inference. */
    access?: AccessGroup;
    /** Whether the description of the interface names the route with this method. */
    isDescribed?: boolean;
  }
}

export function guard(app: FastifyInstance, { options, access }: ServerContext): void {
  const { corsOrigins, allowedHosts, http } = options;
  const checksHost = !access.hasKeys;
  const rules = new BrowserRules({ corsOrigins, allowedHosts, host: http.host, checksHost });
  app.addHook('onRequest', async (request, reply) => {
    const { origin } = request.headers;
    if (rules.isAllowedOrigin(origin)) {
      allowOrigin(reply, origin);
      if (request.method === 'OPTIONS') return await answerPreflight(request, reply);
    }
    const group = request.routeOptions.config.access ?? 'inference';
    rules.check(request.headers, group === 'page');
    access.require(group, 'http', credentialsOf(request));
  });
}

export function credentialsOf(request: FastifyRequest): Credentials {
  const header = (name: string) => {
    const value = request.headers[name];
    return typeof value === 'string' ? value : undefined;
  };
  return { authorization: header('authorization'), plainKey: header('x-api-key'), header };
}
