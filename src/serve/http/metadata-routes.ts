/** GET /v2, /v2/models/M, .../config, .../stats */
import type { FastifyInstance } from 'fastify';
import { ModelConfigSchema } from '../../protocol/gen/model_config_pb.js';
import { ModelStatisticsResponseSchema } from '../../protocol/gen/inference_pb.js';
import { messageJson } from '../../protocol/grpc/message-json.js';
import { writeJson } from '../../protocol/json.js';
import { EXTENSIONS, modelMetadata, modelStatistics } from '../inference/model-metadata.js';
import type { ServerContext } from '../context/server-context.js';
import { sendJson } from './reply.js';
import { modelOf, modelRoute, route, type Handler } from './route.js';

const METADATA = { access: 'metadata' } as const;
const STATISTICS = { access: 'statistics' } as const;

export function metadataRoutes(app: FastifyInstance, context: ServerContext): void {
  const { options, version, repository } = context;
  const server: Handler = (_, reply) =>
    sendJson(reply, writeJson({ name: options.serverId, version, extensions: EXTENSIONS }));
  const metadata: Handler = (request, reply) => {
    const { name, version: modelVersion } = modelOf(request);
    return sendJson(reply, writeJson(modelMetadata(context, name, modelVersion)));
  };
  const config: Handler = (request, reply) => {
    const { name, version: modelVersion } = modelOf(request);
    const model = repository.resolve(name, modelVersion);
    return sendJson(reply, JSON.stringify(messageJson(ModelConfigSchema, model.config)));
  };
  // The statistics of all models, on the route that names none.
  const statistics: Handler = (request, reply) => {
    const { name, version: modelVersion } = modelOf(request);
    const message = modelStatistics(context, name, modelVersion);
    return sendJson(reply, JSON.stringify(messageJson(ModelStatisticsResponseSchema, message)));
  };
  route(app, '/v2', { GET: server }, METADATA);
  modelRoute(app, '', { GET: metadata }, METADATA);
  modelRoute(app, '/config', { GET: config }, { access: 'model-config' });
  route(app, '/v2/models/stats', { GET: statistics }, STATISTICS);
  modelRoute(app, '/stats', { GET: statistics }, STATISTICS);
}
