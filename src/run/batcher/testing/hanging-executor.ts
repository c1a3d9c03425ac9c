import type { StepInput } from '../../../core/step.js';
import type { Executor } from '../../executor/executor.js';
import { ToyExecutor, type ToyExecutorOptions } from '../../executor/testing/toy-executor.js';

/** An executor that blocks its whole thread at its third step, like a native call that never returns. */
class HangingExecutor extends ToyExecutor {
  override submit(step: StepInput): void {
    if (step.stepId === 2) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    super.submit(step);
  }
}

/** Lets engine threads load this module. @param options ToyExecutorOptions */
export async function openExecutor(options: unknown): Promise<Executor> {
  return new HangingExecutor(options as ToyExecutorOptions);
}
