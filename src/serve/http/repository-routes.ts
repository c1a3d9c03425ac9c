/** POST /v2/repository/index, /v2/repository/models/M/load and unload */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { AloftError } from '../../core/errors.js';
import { isObject, parseJsonObject, type JsonObject } from '../../protocol/json.js';
import { configOverride } from '../repository/config-override.js';
import type { AccessGroup } from '../context/access.js';
import type { ServerContext } from '../context/server-context.js';
import { bodyText } from './body.js';
import { sendJson } from './reply.js';
import { modelOf, pathParameter, route, type Handler } from './route.js';

export function repositoryRoutes(app: FastifyInstance, { repository }: ServerContext): void {
  both(app, '/index', 'model-index', (request, reply) => {
    const { ready = false } = parseJsonObject(bodyText(request));
    if (typeof ready !== 'boolean') {
      const message = `'ready' of the repository index is ${JSON.stringify(ready)}, but must be true or false.`;
      throw new AloftError('REQUEST_INVALID', message);
    }
    return sendJson(reply, JSON.stringify(repository.index(ready)));
  });
  both(app, '/models/:model/load', 'model-repository', async (request, reply) => {
    await repository.load(modelOf(request).name, configOverride(parametersOf(request)));
    return reply.code(200).send();
  });
  both(app, '/models/:model/unload', 'model-repository', async (request, reply) => {
    await repository.unload(modelOf(request).name, parametersOf(request)['unload_dependents'] === true);
    return reply.code(200).send();
  });
}

/** Under /v2/repository, and refused under the name of one repository. */
function both(app: FastifyInstance, rest: string, access: AccessGroup, handler: Handler): void {
  route(app, `/v2/repository${rest}`, { POST: handler }, { access });
  const refusing: Parameters<typeof route>[2] = {
    POST: (request) => {
      const message = `'repository_name' specification is not supported (got '${pathParameter(request, 'repository')}')`;
      throw new AloftError('UNSUPPORTED', message);
    },
  };
  route(app, `/v2/repository/:repository${rest}`, refusing, { access });
}

function parametersOf(request: FastifyRequest): JsonObject {
  const { parameters } = parseJsonObject(bodyText(request));
  return isObject(parameters) ? parameters : {};
}
