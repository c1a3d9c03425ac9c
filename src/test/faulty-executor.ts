/** The real executor of an engine, until a chosen step: then a fault of a chosen kind, on the engine's thread. */
import type { StepInput } from '../core/step.js';
import type { Executor } from '../run/executor/executor.js';
import { openExecutor as openEngine } from '../run/executor/open-executor.js';
import type { OpenExecutorOptions } from '../run/executor/opening/open-options.js';

export interface FaultOptions {
  /** The first step that may be the one. */
  readonly faultStepId: number;
  /** The step has so many rows, default: 1. Until then steps are slow, so that requests that come late are there in time. */
  readonly faultRowCount?: number;
  /**
   * `throw`: the step fails. `uncaught`: an exception that nobody catches ends the thread. `exit`: the thread ends
   * without a word. `stall`: a call that does not return.
   */
  readonly fault: 'throw' | 'uncaught' | 'exit' | 'stall';
}

const SLOW_STEP_MS = 50;

/** Lets engine threads load this module. */
export async function openExecutor(options: unknown): Promise<Executor> {
  const { faultStepId, faultRowCount = 1, fault, ...open } = options as FaultOptions & OpenExecutorOptions;
  const executor = await openEngine(open);
  const submit = executor.submit.bind(executor);
  executor.submit = (step: StepInput) => {
    if (step.rowCount < faultRowCount) sleep(SLOW_STEP_MS);
    else if (step.stepId >= faultStepId) commit(fault);
    submit(step);
  };
  return executor;
}

function commit(fault: FaultOptions['fault']): void {
  switch (fault) {
    case 'throw':
      throw new Error('a fault of the test');
    case 'uncaught':
      setImmediate(() => {
        throw new Error('a fault of the test that nobody catches');
      });
      return;
    case 'exit':
      process.exit(7);
      break;
    case 'stall':
      sleep(Infinity);
  }
}

function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
