/** Which models the OpenAI interface shows, and GET /v1/models. */
import type { FastifyInstance } from 'fastify';
import { AloftError } from '../../core/errors.js';
import type { GenerationModel } from '../repository/served-model.js';
import type { ServerContext } from '../context/server-context.js';
import { sendJson } from './reply.js';
import { modelOf, route } from './route.js';

/** Text-level models; all generating ones may be used by name, but only these are listed. */
function listed(context: ServerContext): GenerationModel[] {
  return context.repository
    .served()
    .flatMap((model) => ('engine' in model && model.kind !== 'engine' ? [model] : []));
}

/** @throws {AloftError} MODEL_NOT_FOUND */
export function openAiModel(context: ServerContext, name: string): GenerationModel {
  const model = context.repository.resolve(name, '');
  if ('engine' in model) return model;
  throw new AloftError(
    'MODEL_NOT_FOUND',
    `Model '${name}' does not generate text; use one of ${listed(context)
      .map((other) => other.name)
      .join(', ')}.`,
  );
}

export function openAiModelRoutes(app: FastifyInstance, context: ServerContext): void {
  const created = Math.floor(Date.now() / 1000);
  const card = (model: GenerationModel) => ({
    id: model.name,
    object: 'model',
    created,
    owned_by: 'aloft',
    max_model_len: model.engine.loaded.generator.model.maxSequenceTokens,
  });
  route(app, '/v1/models', {
    GET: (_, reply) => sendJson(reply, JSON.stringify({ object: 'list', data: listed(context).map(card) })),
  });
  route(app, '/v1/models/:model', {
    GET: (request, reply) =>
      sendJson(reply, JSON.stringify(card(openAiModel(context, modelOf(request).name)))),
  });
}
