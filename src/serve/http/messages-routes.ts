/** POST /v1/messages and /v1/messages/count_tokens: Anthropic's interface */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { randomBytes } from 'node:crypto';
import { MessagesBodyWriter, MessagesStreamWriter } from '../../protocol/anthropic/messages-answer.js';
import {
  MESSAGE_NAMES,
  readCountRequest,
  readMessagesRequest,
} from '../../protocol/anthropic/messages-request.js';
import { parseJsonObject } from '../../protocol/json.js';
import type { ServerContext } from '../context/server-context.js';
import { bodyText } from './body.js';
import { converse } from './conversing.js';
import { openAiModel } from './openai-models.js';
import { sendJson } from './reply.js';
import { route } from './route.js';

export function messagesRoutes(app: FastifyInstance, context: ServerContext): void {
  route(app, '/v1/messages', { POST: (request, reply) => messages(context, request, reply) });
  route(app, '/v1/messages/count_tokens', { POST: (request, reply) => countTokens(context, request, reply) });
}

async function messages(
  context: ServerContext,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const conversation = readMessagesRequest(parseJsonObject(bodyText(request)));
  const { model, isStream } = conversation;
  const head = { id: `msg_${randomBytes(12).toString('hex')}`, model };
  return await converse(context, request, reply, {
    isStream,
    model: openAiModel(context, model),
    conversation,
    names: MESSAGE_NAMES,
    callPrefix: 'toolu_',
    stream: new MessagesStreamWriter(head),
    whole: new MessagesBodyWriter(head),
  });
}

async function countTokens(
  context: ServerContext,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { model: name, prompt } = readCountRequest(parseJsonObject(bodyText(request)));
  const model = openAiModel(context, name);
  context.health.requireServing(model);
  const tokens = await model.engine.loaded.generator.tokenize(prompt);
  return sendJson(reply, JSON.stringify({ input_tokens: tokens.length }));
}
