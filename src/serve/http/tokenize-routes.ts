/** POST /tokenize and /detokenize */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { parseJsonObject } from '../../protocol/json.js';
import { OpenAiRequestError } from '../../protocol/openai/error.js';
import { readDetokenizeRequest, readTokenizeRequest } from '../../protocol/tokenize.js';
import type { ServerContext } from '../context/server-context.js';
import { bodyText } from './body.js';
import { openAiModel } from './openai-models.js';
import { withPythonValues } from './python-values.js';
import { sendJson } from './reply.js';
import { route } from './route.js';

export function tokenizeRoutes(app: FastifyInstance, context: ServerContext): void {
  route(app, '/tokenize', { POST: (request, reply) => tokenize(context, request, reply) });
  route(app, '/detokenize', { POST: (request, reply) => detokenize(context, request, reply) });
}

async function tokenize(
  context: ServerContext,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const text = bodyText(request);
  const { model: name, prompt, returnsTexts } = readTokenizeRequest(parseJsonObject(text));
  const model = openAiModel(context, name);
  context.health.requireServing(model);
  const { generator, codec } = model.engine.loaded;
  const tokens = await generator.tokenize(withPythonValues(prompt, text));
  const texts = returnsTexts ? tokens.map((id) => codec.decode([id], false)) : null;
  const { maxSequenceTokens } = generator.model;
  const body = { count: tokens.length, max_model_len: maxSequenceTokens, tokens, token_strs: texts };
  return sendJson(reply, JSON.stringify(body));
}

async function detokenize(
  context: ServerContext,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const {
    model: name,
    tokenIds,
    skipSpecialTokens,
  } = readDetokenizeRequest(parseJsonObject(bodyText(request)));
  const model = openAiModel(context, name);
  const { generator, codec } = model.engine.loaded;
  const { vocabulary } = generator.model;
  const wrong = tokenIds.findIndex((id) => id >= vocabulary);
  if (wrong >= 0)
    throw new OpenAiRequestError(
      `tokens.${wrong}`,
      `'tokens.${wrong}' is ${tokenIds[wrong]}, but the model has the tokens 0 to ${vocabulary - 1}.`,
    );
  return sendJson(reply, JSON.stringify({ prompt: codec.decode(tokenIds, skipSpecialTokens) }));
}
