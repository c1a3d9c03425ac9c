import type { AloftError } from '../../core/errors.js';

export type FailureReason = 'REJECTED' | 'CANCELED' | 'BACKEND' | 'OTHER';

/** Why a request failed, in Triton's words. */
export function failureReason(error: AloftError): FailureReason {
  switch (error.code) {
    case 'QUEUE_FULL':
    case 'QUEUE_TIMEOUT':
    case 'SHUTTING_DOWN':
    case 'MODEL_UNAVAILABLE':
      return 'REJECTED';
    case 'CANCELLED':
    case 'SLOW_READER':
    case 'DEADLINE_EXCEEDED':
      return 'CANCELED';
    case 'DEVICE_FAILED':
    case 'OUT_OF_MEMORY':
    case 'RANK_DIED':
    case 'RANK_LATE':
    case 'RANK_DIVERGED':
    case 'INTERNAL':
      return 'BACKEND';
    default:
      return 'OTHER';
  }
}
