/** The HTTP server: routes, limits, keys, CORS. */
import fastify, { type FastifyError, type FastifyInstance } from 'fastify';
import { AloftError } from '../../core/errors.js';
import { REQUEST_LIMITS } from '../../core/request-limits.js';
import type { ServeOptions } from '../context/options.js';
import type { ServerContext } from '../context/server-context.js';
import { BodyIntake, endUnreadBody } from './body-intake.js';
import { generateRoutes } from './generate-routes.js';
import { guard } from './guard.js';
import { healthRoutes } from './health-routes.js';
import { inferRoute } from './infer-route.js';
import { liveRoute } from './live-route.js';
import { answerMalformed } from './malformed.js';
import { messagesRoutes } from './messages-routes.js';
import { metadataRoutes } from './metadata-routes.js';
import { limitPipelines, OpenRequests } from './pipelining.js';
import { openAiModelRoutes } from './openai-models.js';
import { openAiRoutes } from './openai-routes.js';
import { RouteDescription } from './openapi/route-description.js';
import { playgroundRoutes } from './playground-routes.js';
import { errorBody, isOpenAi, sendError, sendJson } from './reply.js';
import { responsesRoutes } from './responses-routes.js';
import { repositoryRoutes } from './repository-routes.js';
import { settingsRoutes } from './settings-routes.js';
import { tokenizeRoutes } from './tokenize-routes.js';
import { sharedMemoryRoutes } from './shared-memory-routes.js';

/** All routes; listening is the caller's. */
export async function createHttpServer(context: ServerContext): Promise<FastifyInstance> {
  const { options } = context;
  const open = new OpenRequests();
  const app: FastifyInstance = fastify({
    bodyLimit: Math.min(options.maxBodyBytes, REQUEST_LIMITS.jsonBytes.max),
    exposeHeadRoutes: false,
    forceCloseConnections: 'idle',
    // Clients join the base address and a path in many ways.
    routerOptions: {
      maxParamLength: MAX_PARAMETER_CHARACTERS,
      ignoreTrailingSlash: true,
      ignoreDuplicateSlashes: true,
    },
    // Faults that the framework finds before there is a route.
    frameworkErrors: (error, request, reply) => {
      sendError(request, reply, ownError(error), context.log);
    },
    clientErrorHandler: answerMalformed({
      maxHeaderBytes: options.maxHeaderBytes,
      openCount: (socket) => open.count(socket),
    }),
    http: { maxHeaderSize: options.maxHeaderBytes },
    ...(options.tls === undefined ? {} : { https: tlsOptions(options.tls, options.maxHeaderBytes) }),
  });
  app.server.maxConnections = options.maxConnectionCount;
  const intake = new BodyIntake(options, context.bodyBudget);
  limitPipelines(app, open);
  intake.serve(app);
  guard(app, context);
  app.setErrorHandler((error: FastifyError, request, reply) => {
    endUnreadBody(request, reply);
    return sendError(request, reply, ownError(error), context.log);
  });
  app.setNotFoundHandler((request, reply) => {
    if (request.url === '/metrics') return sendJson(reply, errorBody(METRICS_ELSEWHERE), 404);
    if (!isOpenAi(request)) return sendJson(reply, errorBody('Not Found'), 404);
    return sendError(
      request,
      reply,
      new AloftError('ROUTE_NOT_FOUND', `There is no route ${request.method} ${request.url}.`),
      context.log,
    );
  });
  const description = new RouteDescription(app, context);
  inferRoute(app, context, intake);
  const routes = [healthRoutes, metadataRoutes, generateRoutes, repositoryRoutes, settingsRoutes];
  for (const register of routes) register(app, context);
  sharedMemoryRoutes(app);
  openAiModelRoutes(app, context);
  openAiRoutes(app, context);
  messagesRoutes(app, context);
  responsesRoutes(app, context);
  liveRoute(app, context);
  tokenizeRoutes(app, context);
  description.serve(app);
  playgroundRoutes(app, options.playgroundDirectory);
  await app.ready();
  return app;
}

/** Other servers have their metrics at the port of requests. */
const METRICS_ELSEWHERE =
  'Not Found: the metrics have a port of their own, that of --metrics-port (8002 unless it is given)';

/** A longer part of a path names nothing. */
const MAX_PARAMETER_CHARACTERS = 512;

function tlsOptions(tls: NonNullable<ServeOptions['tls']>, maxHeaderSize: number) {
  const client =
    tls.clientAuthority === undefined
      ? {}
      : { ca: tls.clientAuthority, requestCert: true, rejectUnauthorized: true };
  return { cert: tls.certificate, key: tls.key, maxHeaderSize, ...client };
}

/** Errors of the framework in our words. */
function ownError(error: FastifyError): unknown {
  if (error instanceof AloftError) return error;
  if (error.code === 'FST_ERR_MAX_PARAM_LENGTH') {
    const message = `A part of the path is longer than ${MAX_PARAMETER_CHARACTERS} characters, and names nothing here.`;
    return new AloftError('ROUTE_NOT_FOUND', message);
  }
  if (error.statusCode !== undefined && error.statusCode < 500) {
    return new AloftError('REQUEST_INVALID', error.message);
  }
  return error;
}
