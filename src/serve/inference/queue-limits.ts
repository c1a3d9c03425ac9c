/** Time limits and priority of a request, from its parameters, its call and the model's queue policy. */
import { AloftError } from '../../core/errors.js';
import type { GenerateRequest } from '../../core/generate.js';
import { requireTurn } from '../context/access.js';
import type { QueuePlace } from '../generation/active-requests.js';
import type { GenerationModel, PriorityLevels, QueuePolicy } from '../repository/served-model.js';
import type { InferCall } from './infer-call.js';

/** Time limits and priority of a request, and its place in the queue. */
export interface RequestLimits {
  readonly fields: Pick<GenerateRequest, 'queueTimeoutMs' | 'deadlineMs' | 'priority'>;
  readonly queue: QueuePlace;
}

/** `timeout` is in microseconds and limits the queue. @throws {AloftError} REQUEST_INVALID, FORBIDDEN */
export function requestLimits(call: InferCall, model: GenerationModel): RequestLimits {
  const timeout = count(call, 'timeout');
  const level = levelOf(count(call, 'priority') ?? 0, model.priorities);
  const policy = queuePolicyFor(model, level);
  const ownMs = timeout && policy.allowsTimeoutOverride ? timeout / 1000 : undefined;
  const queueTimeoutMs = ownMs ?? policy.timeoutMs;
  const priority = model.priorities.defaultLevel - level;
  requireTurn(priority, call.caller);
  const fields = {
    ...(queueTimeoutMs === undefined ? {} : { queueTimeoutMs }),
    ...(call.deadlineMs === undefined ? {} : { deadlineMs: call.deadlineMs }),
    // The engine's priorities grow with urgency, and 0 is that of a request without any.
    ...(priority === 0 ? {} : { priority }),
  };
  return { fields, queue: { level, maxWaitingCount: policy.maxWaitingCount } };
}

export function queuePolicyFor({ queuePolicies }: GenerationModel, level: number): QueuePolicy {
  return queuePolicies.byLevel.get(level) ?? queuePolicies.ofAll;
}

/** The level that was asked for where there is such, else the default one; 0 without levels. */
function levelOf(level: number, { levelCount, defaultLevel }: PriorityLevels): number {
  return level >= 1 && level <= levelCount ? level : defaultLevel;
}

function count(call: InferCall, key: string): number | undefined {
  const value = call.request.parameters[key];
  if (value === undefined) return undefined;
  const number = Number(value);
  if (typeof value !== 'boolean' && Number.isInteger(number) && number >= 0) return number;
  throw new AloftError(
    'REQUEST_INVALID',
    `Request parameter '${key}' is ${String(value)}, but must be a count.`,
  );
}
