/** The real executor of an engine, until a chosen step: then a fault of a chosen kind, on the engine's thread. */
import type { StepInput } from '../core/step.js';
import type { Executor } from '../run/executor/executor.js';
import { openExecutor as openEngine, type OpenEngineOptions } from '../run/executor/open-engine.js';

export interface FaultOptions {
  readonly faultStepId: number;
  /**
   * `throw`: the step fails. `uncaught`: an exception that nobody catches ends the thread. `exit`: the thread ends
   * without a word. `stall`: a call that does not return.
   */
  readonly fault: 'throw' | 'uncaught' | 'exit' | 'stall';
}

/** The factory for engine threads. */
export async function openExecutor(options: unknown): Promise<Executor> {
  const { faultStepId, fault, ...open } = options as FaultOptions & OpenEngineOptions;
  const executor = await openEngine(open);
  const submit = executor.submit.bind(executor);
  executor.submit = (step: StepInput) => {
    if (step.stepId === faultStepId) commit(fault);
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
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  }
}
