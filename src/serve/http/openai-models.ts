/** Which models the OpenAI interface shows and by which names, and GET /v1/models. */
import type { FastifyInstance } from 'fastify';
import { AloftError } from '../../core/errors.js';
import type { ServedName } from '../context/served-names.js';
import type { RunningEngine } from '../generation/running-engine.js';
import type { GenerationModel } from '../repository/served-model.js';
import type { ServerContext } from '../context/server-context.js';
import { sendJson } from './reply.js';
import { pathParameter, route, type Handler } from './route.js';

/** One text-level model of each engine: a repository has an ensemble and a bls of the same. All may be used by name. */
function listed({ repository }: ServerContext): GenerationModel[] {
  const models = repository
    .served()
    .flatMap((model) => ('engine' in model && model.kind !== 'engine' ? [model] : []));
  const ofEngine = new Map<RunningEngine, GenerationModel>();
  for (const model of models) {
    const other = ofEngine.get(model.engine);
    if (other === undefined || (other.kind !== 'ensemble' && model.kind === 'ensemble'))
      ofEngine.set(model.engine, model);
  }
  return models.filter((model) => ofEngine.get(model.engine) === model);
}

/** Models by the names that clients see, aliases in place of a model's own name. */
function shown(context: ServerContext): (readonly [string, GenerationModel])[] {
  const models = listed(context);
  const aliases = context.options.servedNames.flatMap((alias) => {
    const model =
      models.find(({ name }) => name === alias.model) ?? (alias.model === undefined ? models[0] : undefined);
    return model === undefined ? [] : [[alias.name, model] as const];
  });
  const renamed = new Set(aliases.map(([, model]) => model));
  const plain = models.filter((model) => !renamed.has(model)).map((model) => [model.name, model] as const);
  return [...aliases, ...plain];
}

/** @param name undefined: the only model @throws {AloftError} MODEL_NOT_FOUND, MODEL_UNAVAILABLE */
export function openAiModel(context: ServerContext, name: string | undefined): GenerationModel {
  if (name === undefined) return onlyModel(context);
  const alias = context.options.servedNames.find((served) => served.name === name);
  const model = alias === undefined ? context.repository.resolve(name, '') : aliased(context, alias);
  if ('engine' in model) return model;
  throw new AloftError(
    'MODEL_NOT_FOUND',
    `Model '${name}' does not generate text; use one of ${shown(context)
      .map(([other]) => other)
      .join(', ')}.`,
  );
}

function onlyModel(context: ServerContext): GenerationModel {
  const [only, ...others] = listed(context);
  if (only !== undefined && others.length === 0) return only;
  if (only === undefined)
    throw new AloftError('MODEL_UNAVAILABLE', 'No model that generates text is loaded; retry later.');
  const names = shown(context).map(([shownName]) => shownName);
  throw new AloftError('MODEL_NOT_FOUND', `The server has several models; name one of ${names.join(', ')}.`);
}

function aliased(context: ServerContext, { name, model }: ServedName) {
  if (model !== undefined) return context.repository.resolve(model, '');
  const [only, ...others] = listed(context);
  if (only !== undefined && others.length === 0) return only;
  if (only === undefined)
    throw new AloftError(
      'MODEL_UNAVAILABLE',
      `The model that '${name}' stands for is not loaded; retry later.`,
    );
  const names = [only, ...others].map((other) => other.name).join(', ');
  throw new AloftError(
    'MODEL_NOT_FOUND',
    `'${name}' may stand for each of ${names}; start the server with --served-model-name ${name}=MODEL.`,
  );
}

const METADATA = { access: 'metadata' } as const;

export function openAiModelRoutes(app: FastifyInstance, context: ServerContext): void {
  const created = Math.floor(Date.now() / 1000);
  const card = (id: string, model: GenerationModel) => ({
    id,
    object: 'model',
    created,
    owned_by: 'aloft',
    root: model.name,
    max_model_len: model.engine.loaded.generator.model.maxSequenceTokens,
    max_output_len: model.engine.loaded.generator.model.maxOutputTokens,
  });
  const list: Handler = (_, reply) => {
    const data = shown(context).map(([id, model]) => card(id, model));
    return sendJson(reply, JSON.stringify({ object: 'list', data }));
  };
  const one: Handler = (request, reply) => {
    const name = pathParameter(request, '*');
    return sendJson(reply, JSON.stringify(card(name, openAiModel(context, name))));
  };
  route(app, '/v1/models', { GET: list }, METADATA);
  // Names have slashes where they are those of Hugging Face.
  route(app, '/v1/models/*', { GET: one }, METADATA);
}
