import type { SlotState, StepInput, StepOutput } from '../../../core/step.js';
import type { RotationTable } from '../../../ops/rope/rotation.js';
import { NativeSlot } from '../../../ops/sample/cpu.js';
import type { RopeParams } from '../../../plan/plan.js';
import type { HostSlot } from '../step-results.js';

/** A slot and, where its prompt decides them, the rotations of its tokens. */
export class CpuSlot implements HostSlot {
  readonly state: SlotState;
  readonly native: NativeSlot;
  readonly rotations = new Map<RopeParams, RotationTable>();

  constructor(state: SlotState) {
    this.state = state;
    this.native = new NativeSlot(state);
  }

  get sampling(): SlotState['sampling'] {
    return this.state.sampling;
  }

  get lastTokenId(): number | undefined {
    return this.native.lastTokenId;
  }

  get hasLastToken(): boolean {
    return this.native.lastTokenId !== undefined;
  }
}

export type CpuSlots = ReadonlyMap<number, CpuSlot>;

/** Sampled tokens become their slots' last tokens. */
export function feedBack(step: StepInput, slots: CpuSlots, { tokenIds }: StepOutput): void {
  for (let i = 0; i < step.logitCount; i++)
    if (step.logitTargets[i] === -1)
      slots.get(step.rowSlots[step.logitRows[i]!]!)!.native.append(Math.max(0, tokenIds[i]!));
}
