import type { FastifyRequest } from 'fastify';

/** The W3C trace context of a request: https://www.w3.org/TR/trace-context/ */
export function traceparentOf(request: FastifyRequest): string | undefined {
  const value = request.headers['traceparent'];
  return typeof value === 'string' ? value : undefined;
}
