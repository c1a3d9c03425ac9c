/** The shared memory routes of Triton. Unregistering what is not registered is no error, as upstream. */
import type { FastifyInstance } from 'fastify';
import { requireNoRegion, sharedMemoryRefusal } from '../inference/shared-memory.js';
import { sendJson } from './reply.js';
import { pathParameter, route } from './route.js';

export function sharedMemoryRoutes(app: FastifyInstance): void {
  for (const kind of ['system', 'cuda'] as const) {
    const root = `/v2/${kind}sharedmemory`;
    for (const base of [root, `${root}/region/:region`]) {
      route(app, `${base}/status`, {
        GET: (request, reply) => {
          requireNoRegion(kind, pathParameter(request, 'region'));
          return sendJson(reply, '[]');
        },
      });
      route(app, `${base}/unregister`, { POST: (_, reply) => reply.code(200).send() });
      route(app, `${base}/register`, {
        POST: () => {
          throw sharedMemoryRefusal();
        },
      });
    }
  }
}
