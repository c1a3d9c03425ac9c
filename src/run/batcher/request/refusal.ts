/** Why requests end before or instead of being served. */
import { type ErrorReport, reportError } from '../../../core/errors.js';
import type { BatcherEvent, TokenRequest } from '../../../core/request.js';
import type { BatcherHealth } from '../../../core/token-batcher.js';
import { type Capacity, checkRequest } from './check-request.js';
import type { RequestRun } from './request-run.js';

export const SHUTTING_DOWN: ErrorReport = {
  code: 'SHUTTING_DOWN',
  message: 'The engine is shutting down.',
};

/** The state of a batcher that decides about new requests. */
export interface Intake {
  readonly health: BatcherHealth;
  readonly capacity: Capacity;
  readonly waitingCount: number;
  readonly maxQueuedRequests: number | undefined;
  readonly isInProgress: boolean;
}

/** Why a batcher cannot take `request`; undefined when it can. */
export function refusalOf(request: TokenRequest, intake: Intake): ErrorReport | undefined {
  const { waitingCount, maxQueuedRequests = Infinity } = intake;
  const stopped = stoppedReport(intake.health);
  if (stopped !== undefined) return stopped;
  if (intake.isInProgress) return duplicateReport(request);
  try {
    checkRequest(request, intake.capacity);
  } catch (thrown) {
    return reportError(thrown);
  }
  if (waitingCount < maxQueuedRequests) return undefined;
  const message = `${waitingCount} requests wait, as many as max_queue_size allows; retry later.`;
  return { code: 'QUEUE_FULL', message };
}

/** Answer of a batcher that does not run any more. */
export function stoppedReport({ state, failure }: BatcherHealth): ErrorReport | undefined {
  if (state === 'running') return undefined;
  if (failure === undefined) return SHUTTING_DOWN;
  return { code: 'MODEL_UNAVAILABLE', message: `The engine has stopped: ${failure.message}` };
}

export function duplicateReport({ id }: TokenRequest): ErrorReport {
  return { code: 'REQUEST_INVALID', message: `Request id ${id} is already in progress; choose another.` };
}

/** Penalties so large that they overflow can leave a beam search without tokens to go on with. */
export function shortSearchReport({ id, sequenceCount }: TokenRequest): ErrorReport {
  const message =
    `Penalties, biases or the constraint left request ${id} fewer than ${sequenceCount} possible sequences; ` +
    'use smaller ones, or ask for fewer.';
  return { code: 'REQUEST_INVALID', message };
}

/** Numbers that overflow give logits that are no numbers, and nothing to choose from. */
export function noFiniteLogitReport({ id }: TokenRequest): ErrorReport {
  const message =
    `Request ${id} ends, because the model computed no finite logit for its next token; ` +
    'its weights or activations overflow: build the engine with --dtype bfloat16.';
  return { code: 'DEVICE_FAILED', message };
}

export function hangReport(stepId: number | undefined, silentMs: number, limitMs: number): ErrorReport {
  const message =
    `Step ${stepId} has not ended after ${Math.round(silentMs)} ms, the limit is ` +
    `${limitMs} ms; the device hangs or the limit is too low.`;
  return { code: 'DEVICE_FAILED', message };
}

export function expiryReport(request: RequestRun, nowMs: number): ErrorReport {
  const { id, deadlineMs, queueTimeoutMs } = request.tokens;
  if (nowMs >= request.group.spec.endBeforeMs)
    return { code: 'DEADLINE_EXCEEDED', message: `Request ${id} did not end within ${deadlineMs} ms.` };
  // Begins with Triton's words.
  const message = `Request timeout expired: it waited longer than its ${queueTimeoutMs} ms in the queue; retry later or allow it more.`;
  return { code: 'QUEUE_TIMEOUT', message };
}

/** The only event of a request that never ran here. */
export function refusedEvent(
  request: TokenRequest,
  error: ErrorReport,
  nowMs: number,
  submittedMs = nowMs,
): BatcherEvent {
  return {
    type: 'failed',
    id: request.id,
    error,
    usage: { promptTokens: request.promptTokenIds.length, cachedPromptTokens: 0, outputTokens: 0 },
    timings: { submittedMs, scheduledMs: undefined, firstTokenMs: undefined, finishedMs: nowMs },
  };
}
