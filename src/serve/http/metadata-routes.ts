/** GET /v2, /v2/models/M, .../config, .../stats */
import type { FastifyInstance } from 'fastify';
import { ModelConfigSchema } from '../../protocol/gen/model_config_pb.js';
import { ModelStatisticsResponseSchema } from '../../protocol/gen/inference_pb.js';
import { messageJson } from '../../protocol/grpc/message-json.js';
import { writeJson } from '../../protocol/json.js';
import { modelMetadata, modelStatistics } from '../inference/model-metadata.js';
import { EXTENSIONS, type ServerContext } from '../context/server-context.js';
import { sendJson } from './reply.js';
import { modelOf, modelRoute, route } from './route.js';

export function metadataRoutes(app: FastifyInstance, context: ServerContext): void {
  const { options, version, repository } = context;
  route(app, '/v2', {
    GET: (_, reply) =>
      sendJson(reply, writeJson({ name: options.serverId, version, extensions: EXTENSIONS })),
  });
  modelRoute(app, '', {
    GET: (request, reply) => {
      const { name, version: modelVersion } = modelOf(request);
      return sendJson(reply, writeJson(modelMetadata(context, name, modelVersion)));
    },
  });
  modelRoute(app, '/config', {
    GET: (request, reply) => {
      const { name, version: modelVersion } = modelOf(request);
      const { config } = repository.resolve(name, modelVersion);
      return sendJson(reply, JSON.stringify(messageJson(ModelConfigSchema, config)));
    },
  });
  const statistics = (name: string, modelVersion: string) =>
    JSON.stringify(messageJson(ModelStatisticsResponseSchema, modelStatistics(context, name, modelVersion)));
  route(app, '/v2/models/stats', { GET: (_, reply) => sendJson(reply, statistics('', '')) });
  modelRoute(app, '/stats', {
    GET: (request, reply) => {
      const { name, version: modelVersion } = modelOf(request);
      return sendJson(reply, statistics(name, modelVersion));
    },
  });
}
