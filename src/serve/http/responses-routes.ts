/** POST /v1/responses, and the responses that are kept */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { randomUUID } from 'node:crypto';
import type { ChatMessage } from '../../core/generate.js';
import { parseJsonObject, writeJson } from '../../protocol/json.js';
import { ResponseBodyWriter, ResponseStreamWriter } from '../../protocol/openai/responses/answer.js';
import { itemMessages } from '../../protocol/openai/responses/items.js';
import type { OutputItem } from '../../protocol/openai/responses/output.js';
import { readResponseRequest, RESPONSE_NAMES } from '../../protocol/openai/responses/request.js';
import type { ServerContext } from '../context/server-context.js';
import { bodyText } from './body.js';
import { converse } from './conversing.js';
import { credentialsOf } from './guard.js';
import { openAiModel } from './openai-models.js';
import { sendJson } from './reply.js';
import { ResponseStore, STORE_LIMITS } from './response-store.js';
import { pathParameter, route } from './route.js';

export function responsesRoutes(app: FastifyInstance, context: ServerContext): void {
  const store = new ResponseStore(STORE_LIMITS);
  const callerOf = (request: FastifyRequest) => context.access.callerOf(credentialsOf(request)).id;
  route(app, '/v1/responses', { POST: (request, reply) => respond({ context, store }, request, reply) });
  route(app, '/v1/responses/:id', {
    GET: (request, reply) => {
      const { body } = store.get(pathParameter(request, 'id'), callerOf(request));
      return sendJson(reply, writeJson(body));
    },
    DELETE: (request, reply) => {
      const id = pathParameter(request, 'id');
      store.delete(id, callerOf(request));
      return sendJson(reply, JSON.stringify({ id, object: 'response.deleted', deleted: true }));
    },
  });
}

interface Responding {
  readonly context: ServerContext;
  readonly store: ResponseStore;
}

async function respond(
  { context, store }: Responding,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const caller = context.access.callerOf(credentialsOf(request)).id;
  const conversation = readResponseRequest(parseJsonObject(bodyText(request)), {
    messagesOf: (id) => store.get(id, caller).messages,
    itemOf: (id) => store.item(id, caller),
  });
  const { model, isStream, isStored, messages, echoed } = conversation;
  const id = `resp_${randomUUID().replaceAll('-', '')}`;
  const head = { id, createdAt: Math.floor(Date.now() / 1000), model, echoed };
  const onEnd = (body: object): void => {
    if (isStored) store.add(id, { body, messages: [...messages, ...answerMessages(body)] }, caller);
  };
  return await converse(context, request, reply, {
    isStream,
    model: openAiModel(context, model),
    conversation,
    names: RESPONSE_NAMES,
    callPrefix: 'call_',
    stream: new ResponseStreamWriter(head, onEnd),
    whole: new ResponseBodyWriter(head, onEnd),
  });
}

/** The answer as messages of the conversation that goes on. */
function answerMessages(body: object): readonly ChatMessage[] {
  const { output } = body as { readonly output: readonly OutputItem[] };
  return output.length === 0 ? [] : itemMessages([...output]);
}
