/** Routes, and the parts of a request that several of them read. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { REQUEST_LIMITS } from '../../core/request-limits.js';
import { anthropicErrorOf } from '../../protocol/anthropic/error.js';
import { openAiRouteError } from '../../protocol/openai/error.js';
import type { AccessGroup } from '../context/access.js';
import { errorBody, isAnthropic, isOpenAi, sendJson } from './reply.js';

/** Sends its own answer. What it throws becomes an error answer. */
export type Handler = (request: FastifyRequest, reply: FastifyReply) => FastifyReply | Promise<FastifyReply>;
type Method = 'GET' | 'POST' | 'DELETE' | 'PUT' | 'PATCH';

const METHODS: readonly (Method | 'HEAD')[] = ['GET', 'HEAD', 'POST', 'DELETE', 'PUT', 'PATCH'];

/**
 * Registers a route, and 405 for every other method on its path. HEAD is GET without the body. OPTIONS, and `Allow` beside a 405, say
 * which methods there are (RFC 9110, 9.3.7 and 15.5.6).
 */
export function route(
  app: FastifyInstance,
  url: string,
  handlers: Readonly<Partial<Record<Method, Handler>>>,
  { access = 'inference', isDescribed = true, maxBodyBytes }: RouteOptions = {},
): void {
  const handlerOf = (method: Method | 'HEAD') => handlers[method === 'HEAD' ? 'GET' : method];
  const allowed = [...METHODS.filter((method) => handlerOf(method) !== undefined), 'OPTIONS'].join(', ');
  const bodyLimit = maxBodyBytes ?? bodyLimitOf(app, access);
  for (const method of METHODS) {
    const handler = handlerOf(method) ?? ((request, reply) => methodNotAllowed(request, reply, allowed));
    const isOwn = method !== 'HEAD' && handlers[method] !== undefined;
    app.route({ method, url, handler, config: { access, isDescribed: isDescribed && isOwn }, bodyLimit });
  }
  const sayAllowed: Handler = (_, reply) => reply.header('allow', allowed).code(204).send();
  app.route({ method: 'OPTIONS', url, handler: sayAllowed, config: { access }, bodyLimit });
}

export interface RouteOptions {
  /** Rights that the route needs. Default: those of inference. */
  readonly access?: AccessGroup;
  /** Whether the description of the interface names it. Default true. */
  readonly isDescribed?: boolean;
  readonly maxBodyBytes?: number;
}

/** The server's limit of JSON, and less where a body only names something. */
function bodyLimitOf(app: FastifyInstance, access: AccessGroup): number {
  const { bodyLimit = Infinity } = app.initialConfig;
  return access === 'inference' ? bodyLimit : Math.min(bodyLimit, REQUEST_LIMITS.controlBytes.max);
}

/** The same under a model's name and under one of its versions. */
export function modelRoute(
  app: FastifyInstance,
  rest: string,
  handlers: Parameters<typeof route>[2],
  options: RouteOptions = {},
): void {
  route(app, `/v2/models/:model${rest}`, handlers, options);
  route(app, `/v2/models/:model/versions/:version${rest}`, handlers, options);
}

export function pathParameter(request: FastifyRequest, name: string): string {
  const { params } = request;
  const value: unknown =
    typeof params === 'object' && params !== null ? Reflect.get(params, name) : undefined;
  return typeof value === 'string' ? value : '';
}

export function modelOf(request: FastifyRequest): { readonly name: string; readonly version: string } {
  return { name: pathParameter(request, 'model'), version: pathParameter(request, 'version') };
}

/** The W3C trace context of a request: https://www.w3.org/TR/trace-context/ */
export function traceparentOf(request: FastifyRequest): string | undefined {
  const value = request.headers['traceparent'];
  return typeof value === 'string' ? value : undefined;
}

function methodNotAllowed(request: FastifyRequest, reply: FastifyReply, allowed: string): FastifyReply {
  return sendJson(reply.header('allow', allowed), refusalOf(request), 405);
}

function refusalOf(request: FastifyRequest): string {
  const message = `${request.url} does not take ${request.method}.`;
  if (isAnthropic(request)) return JSON.stringify(anthropicErrorOf(405, message));
  if (isOpenAi(request)) return JSON.stringify(openAiRouteError(message, 'method_not_allowed'));
  return errorBody('Method Not Allowed');
}
