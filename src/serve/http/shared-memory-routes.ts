/** The shared memory routes of Triton. Unregistering what is not registered is no error, as upstream. */
import type { FastifyInstance } from 'fastify';
import { requireNoRegion, sharedMemoryRefusal } from '../inference/shared-memory.js';
import { sendJson } from './reply.js';
import { pathParameter, route, type Handler } from './route.js';

const SHARED_MEMORY = { access: 'shared-memory' } as const;

export function sharedMemoryRoutes(app: FastifyInstance): void {
  const unregister: Handler = (_, reply) => reply.code(200).send();
  const register: Handler = () => {
    throw sharedMemoryRefusal();
  };
  for (const kind of ['system', 'cuda'] as const) {
    const status: Handler = (request, reply) => {
      requireNoRegion(kind, pathParameter(request, 'region'));
      return sendJson(reply, '[]');
    };
    const root = `/v2/${kind}sharedmemory`;
    for (const base of [root, `${root}/region/:region`]) {
      route(app, `${base}/status`, { GET: status }, SHARED_MEMORY);
      route(app, `${base}/unregister`, { POST: unregister }, SHARED_MEMORY);
      route(app, `${base}/register`, { POST: register }, SHARED_MEMORY);
    }
  }
}
