/** Answers that several routes give. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ERROR_CATALOGUE, reportError, type ErrorReport } from '../../core/errors.js';
import type { Log } from '../../core/log.js';
import { clientReport } from '../inference/client-report.js';
import { anthropicError } from '../../protocol/anthropic/error.js';
import { OpenAiRequestError, openAiError, openAiStatus } from '../../protocol/openai/error.js';
import { sseFrame } from '../../protocol/sse.js';
import { QueueFullError } from '../generation/running-engine.js';

/** A JSON text as the whole answer. */
export function sendJson(reply: FastifyReply, text: string, status = 200): FastifyReply {
  // As bytes: the framework would write a charset behind the type of a text, and Triton's clients compare the whole header.
  return reply.code(status).header('content-type', 'application/json').send(Buffer.from(text));
}

/** A thrown value as an answer: Triton's form, or OpenAI's or Anthropic's below /v1. */
export function sendError(
  request: FastifyRequest,
  reply: FastifyReply,
  thrown: unknown,
  log: Log,
): FastifyReply {
  const report = clientReport(thrown, log);
  setRetryAfter(reply, thrown);
  if (isAnthropic(request))
    return sendJson(reply, JSON.stringify(anthropicError(report)), openAiStatus(report));
  if (isOpenAi(request)) {
    const param = thrown instanceof OpenAiRequestError ? thrown.param : null;
    return sendJson(reply, JSON.stringify(openAiError(report, param)), openAiStatus(report));
  }
  return sendJson(reply, errorBody(report.message), ERROR_CATALOGUE[report.code].http);
}

export function errorBody(message: string): string {
  return JSON.stringify({ error: message });
}

/** An error as an event of a stream, which has no status of its own; Triton has no `code`. */
export function errorEvent({ code, message }: ErrorReport): string {
  return sseFrame(JSON.stringify({ error: message, code }));
}

/** True for routes of OpenAI's interface, and those that vLLM has beside it. */
export function isOpenAi(request: FastifyRequest): boolean {
  return /^\/+(?:v1(?:\/|$)|(?:de)?tokenize(?:[/?]|$))/.test(request.url);
}

/** True for routes of Anthropic's interface, which stand among those of OpenAI's. */
export function isAnthropic(request: FastifyRequest): boolean {
  return /^\/+v1\/+messages(?:[/?]|$)/.test(request.url);
}

/** Tells a client when to come again, where that helps. */
function setRetryAfter(reply: FastifyReply, thrown: unknown): void {
  const { code } = reportError(thrown);
  if (!ERROR_CATALOGUE[code].retriable) return;
  reply.header('retry-after', thrown instanceof QueueFullError ? thrown.retryAfterSeconds : 1);
}

/** The `Retry-After` that goes with an error, for answers that are written by hand. */
export function retryHeaders(thrown: unknown): Record<string, string> {
  const { code } = reportError(thrown);
  if (!ERROR_CATALOGUE[code].retriable) return {};
  return { 'retry-after': String(thrown instanceof QueueFullError ? thrown.retryAfterSeconds : 1) };
}
