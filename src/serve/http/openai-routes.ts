/** POST /v1/completions and /v1/chat/completions */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { randomUUID } from 'node:crypto';
import { clientReport } from '../client-report.js';
import type { GenerateRequest } from '../../core/generate.js';
import { parseJsonObject } from '../../protocol/json.js';
import type { BodyWriter, PromptedEvent, StreamWriter } from '../../protocol/openai/answer.js';
import { ChatBodyWriter, ChatStreamWriter } from '../../protocol/openai/chat-answer.js';
import { readChatRequest } from '../../protocol/openai/chat-request.js';
import { CompletionBodyWriter, CompletionStreamWriter } from '../../protocol/openai/completion-answer.js';
import { readCompletionRequest } from '../../protocol/openai/completion-request.js';
import { openAiError } from '../../protocol/openai/error.js';
import type { StreamOptions } from '../../protocol/openai/shared-request.js';
import { sseFrame } from '../../protocol/sse.js';
import { mergeRows } from '../inference/merge-rows.js';
import type { GenerationModel } from '../repository/served-model.js';
import type { ServerContext } from '../server-context.js';
import { bodyText } from './body.js';
import { clientSignal, StreamedReply } from './connection.js';
import { openAiModel } from './openai-models.js';
import { sendJson } from './reply.js';
import { route } from './route.js';
import { traceparentOf } from './trace-header.js';

export function openAiRoutes(app: FastifyInstance, context: ServerContext): void {
  route(app, '/v1/completions', { POST: (request, reply) => complete(context, request, reply) });
  route(app, '/v1/chat/completions', { POST: (request, reply) => chat(context, request, reply) });
}

/** One request of either kind, ready to run. */
interface Job {
  readonly options: StreamOptions;
  readonly model: GenerationModel;
  readonly requests: readonly GenerateRequest[];
  readonly stream: StreamWriter;
  readonly whole: BodyWriter;
}

async function complete(
  context: ServerContext,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const options = readCompletionRequest(parseJsonObject(bodyText(request)));
  const model = openAiModel(context, options.model);
  const head = answerHead('cmpl', options);
  const sequenceCount = options.requests[0]?.sequenceCount ?? 1;
  return await answer(context, request, reply, {
    options,
    model,
    requests: options.requests,
    stream: new CompletionStreamWriter(head, sequenceCount, options),
    whole: new CompletionBodyWriter(head, sequenceCount),
  });
}

async function chat(
  context: ServerContext,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const options = readChatRequest(parseJsonObject(bodyText(request)));
  const head = answerHead('chatcmpl', options);
  return await answer(context, request, reply, {
    options,
    model: openAiModel(context, options.model),
    requests: [options.request],
    stream: new ChatStreamWriter(head, options),
    whole: new ChatBodyWriter(head),
  });
}

function answerHead(prefix: string, { model }: StreamOptions) {
  return { id: `${prefix}-${randomUUID()}`, created: Math.floor(Date.now() / 1000), model };
}

async function answer(
  context: ServerContext,
  request: FastifyRequest,
  reply: FastifyReply,
  job: Job,
): Promise<FastifyReply> {
  context.health.requireServing(job.model);
  const batches = run(context, request, clientSignal(reply), job);
  if (!job.options.stream) {
    for await (const items of batches) for (const item of items) job.whole.push(item);
    return sendJson(reply, JSON.stringify(job.whole.body()));
  }
  // The first batch decides between an error with its status and a stream.
  const first = await batches.next();
  const { writeTimeoutMs } = context.options;
  const stream = new StreamedReply(reply, {
    writeTimeoutMs,
    contentType: 'text/event-stream; charset=utf-8',
  });
  try {
    if (!first.done) await stream.write(frames(job, first.value));
    for await (const items of batches) {
      const text = frames(job, items);
      if (text !== '') await stream.write(text);
    }
    await stream.write(`${job.stream.end().map(sseFrame).join('')}${sseFrame('[DONE]')}`);
  } catch (error) {
    // A loop that is left ends the request, but the first write comes before the loop.
    await batches.return();
    await stream
      .write(sseFrame(JSON.stringify(openAiError(clientReport(error, context.log)))))
      .catch(() => undefined); // the client is gone: nobody to tell
  }
  stream.end();
  return reply;
}

function frames(job: Job, items: readonly PromptedEvent[]): string {
  return items
    .flatMap((item) => job.stream.push(item))
    .map(sseFrame)
    .join('');
}

/** Events of all prompts. The batches before the first text are joined with it, so that early errors come first. */
async function* run(
  context: ServerContext,
  request: FastifyRequest,
  signal: AbortSignal,
  { model, requests }: Job,
): AsyncGenerator<PromptedEvent[], void, void> {
  const info = {
    modelName: model.name,
    modelVersion: model.version,
    engineName: model.engine.name,
    protocol: 'openai',
    arrivedMs: performance.now(),
    traceparent: traceparentOf(request),
  } as const;
  const { queueTimeoutMs } = model;
  const limits = queueTimeoutMs === undefined ? {} : { queueTimeoutMs };
  const rows = mergeRows(
    requests.map((row) =>
      context.runGeneration({ engine: model.engine, request: { ...limits, ...row }, signal, info }),
    ),
  );
  const firstTokens = new Map<number, string>();
  let held: PromptedEvent[] | undefined = [];
  for await (const batch of rows) {
    const items = batch.flatMap(({ row, events }) =>
      events.map((event): PromptedEvent => {
        if (event.type === 'started')
          firstTokens.set(row, model.engine.loaded.codec.decode(event.promptTokenIds.slice(0, 1), false));
        return { promptIndex: row, event, firstTokenText: firstTokens.get(row) ?? '' };
      }),
    );
    const pending: PromptedEvent[] = held === undefined ? items : [...held, ...items];
    const hasText = pending.some((item) => item.event.type === 'text' || item.event.type === 'sequence');
    held = held === undefined || hasText ? undefined : pending;
    if (held === undefined) yield pending;
  }
  if (held !== undefined) yield held;
}
