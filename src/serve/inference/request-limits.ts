/** Time limits and priority of a request, from its parameters, its call and the model's queue policy. */
import { AloftError } from '../../core/errors.js';
import type { GenerateRequest } from '../../core/generate.js';
import type { GenerationModel, PriorityLevels } from '../repository/served-model.js';
import type { InferCall } from './inference-service.js';

type Limits = Pick<GenerateRequest, 'queueTimeoutMs' | 'deadlineMs' | 'priority'>;

/** `timeout` is in microseconds and limits the queue. */
export function requestLimits(call: InferCall, model: GenerationModel): Limits {
  const timeout = count(call, 'timeout');
  const priority = enginePriority(count(call, 'priority') ?? 0, model.priorities);
  const ownMs = timeout && model.allowsTimeoutOverride ? timeout / 1000 : undefined;
  const queueTimeoutMs = ownMs ?? model.queueTimeoutMs;
  return {
    ...(queueTimeoutMs === undefined ? {} : { queueTimeoutMs }),
    ...(call.deadlineMs === undefined ? {} : { deadlineMs: call.deadlineMs }),
    ...(priority === 0 ? {} : { priority }),
  };
}

/** The engine's priorities grow with urgency, and 0 is that of a request without any. */
function enginePriority(level: number, { levelCount, defaultLevel }: PriorityLevels): number {
  return level >= 1 && level <= levelCount ? defaultLevel - level : 0;
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
