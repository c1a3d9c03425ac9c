/** The real executor of an engine, which runs as many steps as a test allows: what comes first then does not depend on time. */
import type { StepInput } from '../core/step.js';
import type { Executor } from '../run/executor/executor.js';
import { openExecutor as openEngine } from '../run/executor/open-executor.js';
import type { OpenExecutorOptions } from '../run/executor/opening/open-options.js';

const UNLIMITED = 2 ** 30;

export interface MeterOptions {
  readonly executorUrl: string;
  readonly meter: SharedArrayBuffer;
}

/** The test's side. All steps run until {@link hold} is called. */
export class StepMeter {
  /** Load options of the engine. */
  readonly options: MeterOptions;
  /** [1] steps that may still run */
  readonly #left: Int32Array;

  constructor() {
    const meter = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
    this.options = { executorUrl: import.meta.url, meter };
    this.#left = new Int32Array(meter);
    this.allow();
  }

  /** From now on the engine's thread waits, and takes no messages, when it has run so many steps. */
  hold(stepCount: number): void {
    Atomics.store(this.#left, 0, stepCount);
  }

  /** So many more steps may run; default: all. */
  allow(stepCount = UNLIMITED): void {
    Atomics.add(this.#left, 0, stepCount);
    Atomics.notify(this.#left, 0);
  }
}

/** Lets engine threads load this module. */
export async function openExecutor(options: unknown): Promise<Executor> {
  const { meter, ...open } = options as MeterOptions & OpenExecutorOptions;
  const executor = await openEngine(open);
  const left = new Int32Array(meter);
  const submit = executor.submit.bind(executor);
  executor.submit = (step: StepInput) => {
    takeOne(left);
    submit(step);
  };
  return executor;
}

function takeOne(left: Int32Array): void {
  for (;;) {
    const count = Atomics.load(left, 0);
    if (count < 1) Atomics.wait(left, 0, count);
    else if (Atomics.compareExchange(left, 0, count, count - 1) === count) return;
  }
}
