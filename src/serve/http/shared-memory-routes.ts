/** The shared memory routes of Triton: no region is ever registered, and registering is refused with a reason. */
import type { FastifyInstance } from 'fastify';
import { AloftError } from '../../core/errors.js';
import { sendJson } from './reply.js';
import { route } from './route.js';

export const NO_SHARED_MEMORY = 'Shared memory is not supported: send tensors in the request.';

export function sharedMemoryRoutes(app: FastifyInstance): void {
  for (const kind of ['systemsharedmemory', 'cudasharedmemory']) {
    for (const base of [`/v2/${kind}`, `/v2/${kind}/region/:region`]) {
      route(app, `${base}/status`, { GET: (_, reply) => sendJson(reply, '[]') });
      route(app, `${base}/unregister`, { POST: (_, reply) => reply.code(200).send() });
      route(app, `${base}/register`, {
        POST: () => {
          throw new AloftError('UNSUPPORTED', NO_SHARED_MEMORY);
        },
      });
    }
  }
}
