/** Faults of a network that may pass, and how long they are waited for. */
import { setTimeout } from 'node:timers/promises';
import { AloftError } from '../core/errors.js';

/** A connection that broke, or a hub that asks for patience. */
export class PassingFault extends AloftError {
  /** Time that the hub asks for; undefined where it asks for none. */
  readonly delayMs: number | undefined;

  constructor(message: string, options: ErrorOptions & { readonly delayMs?: number | undefined } = {}) {
    super('HUB_UNREACHABLE', message, options);
    this.delayMs = options.delayMs;
  }
}

export interface Patience {
  /** Failures in a row, without progress between them, after which the last one is thrown. */
  readonly maxFailures: number;
  readonly delayMs: number;
  readonly signal: AbortSignal;
}

const MAX_DELAY_MS = 60_000;

/** Repeats work that fails with a {@link PassingFault}. @param progress number that grows while the work gets on */
export async function patiently<Result>(
  work: () => Promise<Result>,
  { maxFailures, delayMs, signal }: Patience,
  progress: () => number = () => 0,
): Promise<Result> {
  for (let failureCount = 0; ;) {
    const before = progress();
    try {
      return await work();
    } catch (fault) {
      if (!(fault instanceof PassingFault)) throw fault;
      failureCount = progress() > before ? 1 : failureCount + 1;
      if (failureCount >= maxFailures) throw fault;
      const pause = fault.delayMs ?? delayMs * 2 ** (failureCount - 1);
      await setTimeout(Math.min(pause, MAX_DELAY_MS), undefined, { signal }).catch(() => {
        throw signal.reason as Error;
      });
    }
  }
}
