import type { StepInput } from '../../core/step.js';
import { addressOf } from '../../ffi/memory.js';
import { Struct, StructArray } from '../struct.js';

export const STEP_VIEW = new Struct('StepView', 'cpu/step-view.h', {
  tokenCount: 'i64',
  rowCount: 'i64',
  maxBlocksPerSequence: 'i64',
  positionsAddress: 'address',
  rowOffsetsAddress: 'address',
  blockTablesAddress: 'address',
});

/** The native view of the running step: one struct that kernels read, rewritten before each step. */
export interface StepView {
  readonly address: number;
  /** Keeps the step alive until the next one is set. */
  set(step: StepInput): void;
}

export function createStepView(): StepView {
  const fields = new StructArray(STEP_VIEW, 1);
  const held: StepInput[] = [];
  return {
    address: fields.address,
    set(step) {
      held[0] = step;
      fields.set(0, {
        tokenCount: step.tokenCount,
        rowCount: step.rowCount,
        maxBlocksPerSequence: step.maxBlocksPerSequence,
        positionsAddress: addressOf(step.positions),
        rowOffsetsAddress: addressOf(step.rowOffsets),
        blockTablesAddress: addressOf(step.blockTables),
      });
    },
  };
}
