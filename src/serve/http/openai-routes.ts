/** POST /v1/completions, /v1/chat/completions and /v1/embeddings */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { randomUUID } from 'node:crypto';
import { parseJsonObject } from '../../protocol/json.js';
import { ChatBodyWriter, ChatStreamWriter } from '../../protocol/openai/chat-answer.js';
import { readChatRequest } from '../../protocol/openai/chat-request.js';
import { CompletionBodyWriter, CompletionStreamWriter } from '../../protocol/openai/completion-answer.js';
import { readCompletionRequest } from '../../protocol/openai/completion-request.js';
import { EmbeddingsBody, readEmbeddingsRequest } from '../../protocol/openai/embeddings.js';
import { memberNames } from '../../protocol/openai/member-names.js';
import type { StreamOptions } from '../../protocol/openai/stream-options.js';
import type { ServerContext } from '../context/server-context.js';
import { answer } from './answering.js';
import { bodyText } from './body.js';
import { converse } from './conversing.js';
import { openAiModel } from './openai-models.js';
import { withPythonValues } from './python-values.js';
import { route } from './route.js';

export function openAiRoutes(app: FastifyInstance, context: ServerContext): void {
  route(app, '/v1/completions', { POST: (request, reply) => complete(context, request, reply) });
  route(app, '/v1/embeddings', { POST: (request, reply) => embed(context, request, reply) });
  route(app, '/v1/chat/completions', { POST: (request, reply) => chat(context, request, reply) });
}

async function complete(
  context: ServerContext,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const options = readCompletionRequest(parseJsonObject(bodyText(request)));
  const head = answerHead('cmpl', options);
  const sequenceCount = options.requests[0]?.sequenceCount ?? 1;
  return await answer(context, request, reply, {
    model: openAiModel(context, options.model),
    requests: options.requests,
    names: memberNames('prompt'),
    stream: options.stream ? new CompletionStreamWriter(head, sequenceCount, options) : undefined,
    whole: new CompletionBodyWriter(head, sequenceCount),
  });
}

async function embed(
  context: ServerContext,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const options = readEmbeddingsRequest(parseJsonObject(bodyText(request)));
  return await answer(context, request, reply, {
    model: openAiModel(context, options.model),
    requests: options.requests,
    names: memberNames('input'),
    stream: undefined,
    whole: new EmbeddingsBody(options),
  });
}

async function chat(
  context: ServerContext,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const text = bodyText(request);
  const options = readChatRequest(parseJsonObject(text));
  const head = answerHead('chatcmpl', options);
  return await converse(context, request, reply, {
    isStream: options.stream,
    model: openAiModel(context, options.model),
    conversation: {
      ...options,
      request: { ...options.request, prompt: withPythonValues(options.request.prompt, text) },
    },
    names: memberNames('messages'),
    callPrefix: 'call_',
    stream: new ChatStreamWriter(head, options),
    whole: new ChatBodyWriter(head),
  });
}

function answerHead(prefix: string, { model }: StreamOptions) {
  return { id: `${prefix}-${randomUUID()}`, created: Math.floor(Date.now() / 1000), model };
}
