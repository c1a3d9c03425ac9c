/** POST /v1/completions and /v1/chat/completions */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { randomUUID } from 'node:crypto';
import type { AloftError } from '../../core/errors.js';
import type { Log } from '../../core/log.js';
import { clientReport } from '../inference/client-report.js';
import type { GenerateEvent, GenerateRequest } from '../../core/generate.js';
import { parseJsonObject } from '../../protocol/json.js';
import type { BodyWriter, PromptedEvent, StreamWriter } from '../../protocol/openai/answer.js';
import { ChatBodyWriter, ChatStreamWriter } from '../../protocol/openai/chat-answer.js';
import { readChatRequest } from '../../protocol/openai/chat-request.js';
import { CompletionBodyWriter, CompletionStreamWriter } from '../../protocol/openai/completion-answer.js';
import { readCompletionRequest } from '../../protocol/openai/completion-request.js';
import { openAiError, OpenAiRequestError, type OpenAiErrorBody } from '../../protocol/openai/error.js';
import { inMemberNames } from '../../protocol/openai/member-names.js';
import type { StreamOptions } from '../../protocol/openai/stream-options.js';
import { sseFrame } from '../../protocol/sse.js';
import { templateValues } from '../../text/template-values.js';
import { requestInfo } from '../inference/request-info.js';
import { withTenant } from '../inference/cache-salt.js';
import { queuePolicyFor } from '../inference/request-limits.js';
import { runRows } from '../inference/run-rows.js';
import type { Reader } from '../generation/reader.js';
import type { GenerationModel } from '../repository/served-model.js';
import { requireTurn } from '../context/access.js';
import type { ServerContext } from '../context/server-context.js';
import { bodyText } from './body.js';
import { clientSignal, StreamedReply } from './connection.js';
import { credentialsOf } from './guard.js';
import { openAiModel } from './openai-models.js';
import { sendJson } from './reply.js';
import { Silence } from './silence.js';
import { route, traceparentOf } from './route.js';

export function openAiRoutes(app: FastifyInstance, context: ServerContext): void {
  route(app, '/v1/completions', { POST: (request, reply) => complete(context, request, reply) });
  route(app, '/v1/chat/completions', { POST: (request, reply) => chat(context, request, reply) });
}

/** One request of either kind, ready to run. */
interface Job {
  readonly options: StreamOptions;
  readonly model: GenerationModel;
  readonly requests: readonly GenerateRequest[];
  /** Member of the body that errors of the prompt are about. */
  readonly promptMember: 'messages' | 'prompt';
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
    promptMember: 'prompt',
    stream: new CompletionStreamWriter(head, sequenceCount, options),
    whole: new CompletionBodyWriter(head, sequenceCount),
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
  return await answer(context, request, reply, {
    options,
    model: openAiModel(context, options.model),
    requests: [withPythonValues(options.request, text)],
    promptMember: 'messages',
    stream: new ChatStreamWriter(head, options),
    whole: new ChatBodyWriter(head),
  });
}

/** Chat templates are programs for Python, which reads some JSON otherwise. */
function withPythonValues(request: GenerateRequest, text: string): GenerateRequest {
  const { prompt } = request;
  if (prompt.type !== 'chat') return request;
  return {
    ...request,
    prompt: { ...prompt, templateArguments: templateValues(text, prompt.templateArguments) },
  };
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
  const caller = context.access.callerOf(credentialsOf(request));
  for (const { priority } of job.requests) requireTurn(priority, caller);
  const { tenant } = caller;
  const call = { context, job, tenant, signal: clientSignal(reply), traceparent: traceparentOf(request) };
  if (job.options.stream) return await stream(call, reply);
  const held = context.heldAnswers.open();
  try {
    await new Promise<void>((resolve, reject) => {
      run(call, {
        take(items) {
          held.add(items.map(({ event }) => event));
          for (const item of items) job.whole.push(item);
          return undefined;
        },
        end: (failure) => (failure === undefined ? resolve() : reject(failure)),
      });
    });
    return sendJson(reply, JSON.stringify(job.whole.body()));
  } finally {
    held.release();
  }
}

interface Call {
  readonly context: ServerContext;
  readonly job: Job;
  readonly tenant: string | undefined;
  readonly signal: AbortSignal;
  readonly traceparent: string | undefined;
}

/** The first part decides between an error with its status and a stream. */
async function stream(call: Call, reply: FastifyReply): Promise<FastifyReply> {
  const { job, context } = call;
  let opened: StreamedReply | undefined;
  const open = () =>
    (opened ??= new StreamedReply(reply, {
      writeTimeoutMs: context.options.writeTimeoutMs,
      contentType: 'text/event-stream; charset=utf-8',
    }));
  const silence = new Silence(context.options.keepAliveMs, () => open().write(KEEP_ALIVE));
  await new Promise<void>((resolve, reject) => {
    run(call, {
      take(items) {
        let frames = '';
        for (const item of items) for (const chunk of job.stream.push(item)) frames += sseFrame(chunk);
        if (frames === '') return undefined;
        silence.restart();
        return open().write(frames);
      },
      end(failure) {
        silence.end();
        if (failure !== undefined && opened === undefined) return reject(failure);
        const chunks =
          failure === undefined
            ? [...job.stream.end(), '[DONE]']
            : [JSON.stringify(errorObject(failure, context.log))];
        open().endWith(chunks.map(sseFrame).join(''));
        resolve();
      },
    });
  });
  return reply;
}

/** A comment, which readers of event streams skip. */
const KEEP_ALIVE = ': keep-alive\n\n';

function errorObject(failure: AloftError, log: Log): OpenAiErrorBody {
  return openAiError(
    clientReport(failure, log),
    failure instanceof OpenAiRequestError ? failure.param : undefined,
  );
}

/** Events of all prompts. Those before the first text are held back until it comes, so that early errors come first. */
function run(
  { context, job, tenant, signal, traceparent }: Call,
  reader: Reader<readonly PromptedEvent[]>,
): void {
  const { model, requests } = job;
  const { engine } = model;
  // OpenAI's requests have no levels.
  const level = model.priorities.defaultLevel;
  const { timeoutMs: queueTimeoutMs, maxWaitingCount } = queuePolicyFor(model, level);
  const info = requestInfo(model, { protocol: 'openai', arrivedMs: performance.now(), traceparent });
  const limits = queueTimeoutMs === undefined ? {} : { queueTimeoutMs };
  const calls = requests.map((row) => ({
    engine,
    request: withTenant({ ...limits, ...row, shortensOutput: !context.options.strictLengths }, tenant),
    queue: { level, maxWaitingCount },
    signal,
    info,
  }));
  const firstTokens = new Map<number, string>();
  let held: PromptedEvent[] | undefined = [];
  runRows(context.runGeneration, calls, {
    take({ row, events }) {
      const items = events.map((event): PromptedEvent => {
        if (event.type === 'started')
          firstTokens.set(row, engine.loaded.codec.decode(event.promptTokenIds.slice(0, 1), false));
        return { promptIndex: row, event, firstTokenText: firstTokens.get(row) ?? '' };
      });
      if (held === undefined) return reader.take(items);
      held.push(...items);
      if (!events.some(decidesAnswer)) return undefined;
      const first = held;
      held = undefined;
      return reader.take(first);
    },
    end: (failure) => reader.end(failure && inMemberNames(failure, job.promptMember)),
  });
}

/** From here on an answer is not an error as a whole. */
function decidesAnswer({ type }: GenerateEvent): boolean {
  return type === 'text' || type === 'sequence' || type === 'finished';
}
