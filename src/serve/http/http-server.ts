/** The HTTP server: routes, limits, keys, CORS. */
import fastify, { type FastifyError, type FastifyInstance } from 'fastify';
import { AloftError } from '../../core/errors.js';
import { ApiKeys } from '../context/api-keys.js';
import type { ServeOptions } from '../context/options.js';
import type { ServerContext } from '../context/server-context.js';
import { acceptAnyBody } from './body.js';
import { generateRoutes } from './generate-routes.js';
import { healthRoutes } from './health-routes.js';
import { inferRoute } from './infer-route.js';
import { liveRoute } from './live-route.js';
import { metadataRoutes } from './metadata-routes.js';
import { openAiModelRoutes } from './openai-models.js';
import { openAiRoutes } from './openai-routes.js';
import { playgroundRoutes } from './playground-routes.js';
import { allowOrigin, answerPreflight } from './preflight.js';
import { errorBody, isOpenAi, sendError, sendJson } from './reply.js';
import { repositoryRoutes } from './repository-routes.js';
import { settingsRoutes } from './settings-routes.js';
import { sharedMemoryRoutes } from './shared-memory-routes.js';

/** All routes; listening is the caller's. */
export async function createHttpServer(context: ServerContext): Promise<FastifyInstance> {
  const { options } = context;
  const app: FastifyInstance = fastify({
    bodyLimit: options.maxBodyBytes,
    exposeHeadRoutes: false,
    forceCloseConnections: 'idle',
    // Clients join the base address and a path in many ways.
    routerOptions: { maxParamLength: 512, ignoreTrailingSlash: true, ignoreDuplicateSlashes: true },
    http: { maxHeaderSize: options.maxHeaderBytes },
    ...(options.tls === undefined ? {} : { https: tlsOptions(options.tls, options.maxHeaderBytes) }),
  });
  app.server.maxConnections = options.maxConnectionCount;
  acceptAnyBody(app);
  guard(app, options);
  app.setErrorHandler((error: FastifyError, request, reply) =>
    sendError(request, reply, ownError(error, options), context.log),
  );
  app.setNotFoundHandler((request, reply) => {
    if (!isOpenAi(request)) return sendJson(reply, errorBody('Not Found'), 404);
    return sendError(
      request,
      reply,
      new AloftError('ROUTE_NOT_FOUND', `There is no route ${request.method} ${request.url}.`),
      context.log,
    );
  });
  const routes = [healthRoutes, metadataRoutes, inferRoute, generateRoutes, repositoryRoutes, settingsRoutes];
  for (const register of routes) register(app, context);
  sharedMemoryRoutes(app);
  openAiModelRoutes(app, context);
  openAiRoutes(app, context);
  liveRoute(app, context);
  playgroundRoutes(app, options.playgroundDirectory);
  await app.ready();
  return app;
}

/** Health is open to probes and the page to browsers; everything else needs a key when there are keys. */
function guard(app: FastifyInstance, options: ServeOptions): void {
  const keys = new ApiKeys(options.apiKeys);
  const isOpen = (url: string) =>
    /^\/(?:health|v2\/health\/|v2\/models\/[^/]+\/ready|assets\/|$|\?)/.test(url);
  app.addHook('onRequest', async (request, reply) => {
    const { origin } = request.headers;
    const isAllowedOrigin =
      origin !== undefined && (options.corsOrigins.includes(origin) || options.corsOrigins.includes('*'));
    if (isAllowedOrigin) {
      allowOrigin(reply, origin);
      if (request.method === 'OPTIONS') return await answerPreflight(request, reply);
    }
    if (isOpen(request.url)) return;
    const plainKey = request.headers['x-api-key'];
    keys.require(request.headers.authorization, typeof plainKey === 'string' ? plainKey : undefined);
  });
}

function tlsOptions(tls: NonNullable<ServeOptions['tls']>, maxHeaderSize: number) {
  const client =
    tls.clientAuthority === undefined
      ? {}
      : { ca: tls.clientAuthority, requestCert: true, rejectUnauthorized: true };
  return { cert: tls.certificate, key: tls.key, maxHeaderSize, ...client };
}

/** Errors of the framework in our words. */
function ownError(error: FastifyError, options: ServeOptions): unknown {
  if (error instanceof AloftError) return error;
  if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    return new AloftError(
      'REQUEST_INVALID',
      `The request body is larger than ${options.maxBodyBytes} bytes; raise http-max-input-size.`,
    );
  }
  if (error.statusCode !== undefined && error.statusCode < 500) {
    return new AloftError('REQUEST_INVALID', error.message);
  }
  return error;
}
