/** Answers of /v1: one request, of one or several prompts, run and written in the form of its interface. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { AloftError } from '../../core/errors.js';
import type { GenerateEvent, GenerateRequest } from '../../core/generate.js';
import { writeJson } from '../../protocol/json.js';
import type { BodyWriter, PromptedEvent, StreamWriter } from '../../protocol/openai/answer.js';
import { OpenAiRequestError } from '../../protocol/openai/error.js';
import { inMemberNames, type MemberNames } from '../../protocol/openai/member-names.js';
import { requireTurn } from '../context/access.js';
import type { ServerContext } from '../context/server-context.js';
import type { Reader } from '../generation/reader.js';
import { withTenant } from '../inference/cache-salt.js';
import { clientReport } from '../inference/client-report.js';
import { requestInfo } from '../inference/request-info.js';
import { queuePolicyFor } from '../inference/queue-limits.js';
import { runRows } from '../inference/run-rows.js';
import type { GenerationModel } from '../repository/served-model.js';
import { clientSignal, StreamedReply } from './connection.js';
import { credentialsOf } from './guard.js';
import { sendJson } from './reply.js';
import { traceparentOf } from './route.js';
import { Silence } from './silence.js';

/** One request of any kind, ready to run. */
export interface Job {
  readonly model: GenerationModel;
  readonly requests: readonly GenerateRequest[];
  /** Members of the body, for errors that are about them. */
  readonly names: MemberNames;
  /** Undefined: the answer comes as a whole. */
  readonly stream: StreamWriter | undefined;
  readonly whole: BodyWriter;
}

export async function answer(
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
  if (job.stream !== undefined) return await stream(call, job.stream, reply);
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
    return sendJson(reply, writeJson(job.whole.body()));
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
async function stream(call: Call, writer: StreamWriter, reply: FastifyReply): Promise<FastifyReply> {
  const { context } = call;
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
        for (const item of items) frames += writer.push(item);
        if (frames === '') return undefined;
        silence.restart();
        return open().write(frames);
      },
      end(failure) {
        silence.end();
        if (failure !== undefined && opened === undefined) return reject(failure);
        open().endWith(failure === undefined ? writer.end() : failed(context, writer, failure));
        resolve();
      },
    });
  });
  return reply;
}

/** A comment, which readers of event streams skip. */
const KEEP_ALIVE = ': keep-alive\n\n';

function failed(context: ServerContext, writer: StreamWriter, failure: AloftError): string {
  const param = failure instanceof OpenAiRequestError ? failure.param : null;
  return writer.fail(clientReport(failure, context.log), param);
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
  let early: PromptedEvent[] | undefined = [];
  runRows(context.runGeneration, calls, {
    take({ row, events }) {
      const items = events.map((event): PromptedEvent => {
        if (event.type === 'started')
          firstTokens.set(row, engine.loaded.codec.decode(event.promptTokenIds.slice(0, 1), false));
        return { promptIndex: row, event, firstTokenText: firstTokens.get(row) ?? '' };
      });
      if (early === undefined) return reader.take(items);
      early.push(...items);
      if (!events.some(decidesAnswer)) return undefined;
      const first = early;
      early = undefined;
      return reader.take(first);
    },
    end: (failure) => reader.end(failure && inMemberNames(failure, job.names)),
  });
}

/** From here on an answer is not an error as a whole. */
function decidesAnswer({ type }: GenerateEvent): boolean {
  return type === 'text' || type === 'sequence' || type === 'finished';
}
