/** CORS: which pages of other origins may call, and what their browsers are answered before they do (https://fetch.spec.whatwg.org). */
import type { FastifyReply, FastifyRequest } from 'fastify';

const METHODS = 'GET, HEAD, POST, DELETE';
/** Headers that a page may send where its browser does not say which it wants to. */
const HEADERS = 'authorization, content-type, inference-header-content-length, x-api-key';
/** Headers of answers that a page may read besides those that any may. */
const EXPOSED = 'retry-after, x-request-id, inference-header-content-length, content-encoding';
/** Names of headers, separated by commas. */
const NAMES = /^[\w!#$%&'*+.^`|~-]+(?:\s*,\s*[\w!#$%&'*+.^`|~-]+)*$/;

/** Lets pages of this origin read the answer. */
export function allowOrigin(reply: FastifyReply, origin: string): void {
  reply.header('access-control-allow-origin', origin);
  reply.header('access-control-expose-headers', EXPOSED).header('vary', 'origin');
}

/** Allows all headers that are asked for: SDKs send dozens about themselves, and the origin is what is trusted. */
export async function answerPreflight(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const asked = request.headers['access-control-request-headers'];
  return await reply
    .header('access-control-allow-methods', METHODS)
    .header('access-control-allow-headers', asked !== undefined && NAMES.test(asked) ? asked : HEADERS)
    .header('access-control-max-age', '600')
    .header('vary', 'origin, access-control-request-headers')
    .code(204)
    .send();
}
