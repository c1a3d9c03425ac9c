import type { SlotState, StepInput } from '../../../core/step.js';
import { topCountOf } from '../../../ops/sample/contract.js';
import type { CheckedSlot } from '../step-check.js';

/** An attached slot as the host sees it; its parameters, history and last token are on the device. */
export interface CudaSlot extends CheckedSlot {
  hasLastToken: boolean;
  /** Number of most likely tokens that a sampled token reports; -1 reports no log probabilities. */
  readonly sampledTops: number;
  /** The same for a token of the prompt. */
  readonly promptTops: number;
}

export function cudaSlotOf({ sampling, outputTokenIds }: SlotState): CudaSlot {
  return {
    hasLastToken: outputTokenIds.length > 0,
    sampledTops: topCountOf(sampling, false),
    promptTops: topCountOf(sampling, true),
  };
}

/** Notes which slots get a last token. @returns the largest number of most likely tokens that any logit of the step reports */
export function noteLogits(
  { logitCount, logitRows, logitTargets, rowSlots }: StepInput,
  slots: ReadonlyMap<number, CudaSlot>,
): number {
  let topCount = 0;
  for (let i = 0; i < logitCount; i++) {
    const slot = slots.get(rowSlots[logitRows[i]!]!)!;
    const isSampled = logitTargets[i]! < 0;
    if (isSampled) slot.hasLastToken = true;
    topCount = Math.max(topCount, isSampled ? slot.sampledTops : slot.promptTops);
  }
  return topCount;
}
