import type { StepInput } from '../../core/step.js';
import { addressOf } from '../../ffi/memory.js';

/** The native view of the running step: one struct that kernels read, rewritten before each step. */
export interface StepView {
  readonly address: number;
  /** Keeps the step alive until the next one is set. */
  set(step: StepInput): void;
}

/** Fields and order as `StepView` in step-view.h. */
export function createStepView(): StepView {
  const fields = new BigInt64Array(6);
  const held: StepInput[] = [];
  return {
    address: addressOf(fields),
    set(step) {
      held[0] = step;
      fields[0] = BigInt(step.tokenCount);
      fields[1] = BigInt(step.rowCount);
      fields[2] = BigInt(step.maxBlocksPerSequence);
      fields[3] = BigInt(addressOf(step.positions));
      fields[4] = BigInt(addressOf(step.rowOffsets));
      fields[5] = BigInt(addressOf(step.blockTables));
    },
  };
}
