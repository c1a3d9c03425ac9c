/** Ends of commands that are no results: Ctrl-C in the middle of work that must be cleaned up, and failures that are explained already. */
import { constants } from 'node:os';
import { AloftError } from '../../core/errors.js';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;
type StopSignal = (typeof SIGNALS)[number];

/** Work that a signal stopped, after it was cleaned up. */
export class Interrupted extends AloftError {
  /** Exit status as shells report it: 128 and the number of the signal. */
  readonly exitStatus: number;

  constructor(signal: StopSignal, remains: string) {
    super('CANCELLED', `Stopped by ${signal}; ${remains}.`);
    this.exitStatus = exitStatusOf(signal);
  }
}

/** A failure that the command has explained already: nothing more is printed. */
export class Reported extends AloftError {
  constructor() {
    super('CHECK_FAILED', 'The command has printed what failed.');
  }
}

function exitStatusOf(signal: StopSignal): number {
  return 128 + constants.signals[signal];
}

/**
 * Runs `work` with a signal that SIGINT and SIGTERM abort with an {@link Interrupted}; `work` cleans up and rejects with
 * it. A second signal ends the process at once. May be nested: all are aborted.
 * @param remains words about what is there afterwards
 */
export async function interruptible<T>(
  work: (signal: AbortSignal) => Promise<T>,
  remains = 'nothing half done is left',
): Promise<T> {
  const controller = new AbortController();
  const stop = (signal: StopSignal): void => {
    if (controller.signal.aborted) process.exit(exitStatusOf(signal));
    controller.abort(new Interrupted(signal, remains));
  };
  for (const signal of SIGNALS) process.on(signal, stop);
  try {
    return await work(controller.signal);
  } finally {
    for (const signal of SIGNALS) process.off(signal, stop);
  }
}

/** The result of `work`, or the reason of `signal` as soon as it is aborted; `work` must then be ended by the caller. */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) {
    work.catch(() => {}); // nobody waits for it any more
    throw signal.reason as Error;
  }
  let stop = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason as Error);
    signal.addEventListener('abort', stop);
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
