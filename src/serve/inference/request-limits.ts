/** Time limits and priority of a request, from its parameters, its call and the model's queue policy. */
import { AloftError } from '../../core/errors.js';
import type { GenerateRequest } from '../../core/generate.js';
import type { GenerationModel } from '../repository/served-model.js';
import type { InferCall } from './inference-service.js';

type Limits = Pick<GenerateRequest, 'queueTimeoutMs' | 'deadlineMs' | 'priority'>;

/** `timeout` is in microseconds and limits the queue; `priority` 1 is the most urgent, 0 the default. */
export function requestLimits(call: InferCall, model: GenerationModel): Limits {
  const timeout = count(call, 'timeout');
  const priority = count(call, 'priority');
  const ownMs = timeout && model.allowsTimeoutOverride ? timeout / 1000 : undefined;
  const queueTimeoutMs = ownMs ?? model.queueTimeoutMs;
  return {
    ...(queueTimeoutMs === undefined ? {} : { queueTimeoutMs }),
    ...(call.deadlineMs === undefined ? {} : { deadlineMs: call.deadlineMs }),
    ...(priority ? { priority: -priority } : {}),
  };
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
