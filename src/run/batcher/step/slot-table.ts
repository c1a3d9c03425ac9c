import type { Executor } from '../../executor/executor.js';
import { NO_SLOT } from '../../kv/block-tables.js';
import type { Sequence } from '../../scheduler/sequence.js';
import type { StepPlan } from '../../scheduler/step-plan.js';
import type { RequestSequence } from '../request/request-run.js';

/** Which run holds which slot, here and on the device. */
export class SlotTable {
  readonly #executor: Executor;
  readonly #runs: (RequestSequence | undefined)[] = [];

  constructor(executor: Executor) {
    this.#executor = executor;
  }

  runAt(slot: number): RequestSequence {
    return this.#runs[slot]!;
  }

  /** Carries out the changes that come before a planned step. */
  apply(plan: StepPlan, runOf: (sequence: Sequence) => RequestSequence): void {
    for (let i = 0; i < plan.detachedSlots.length; i++) {
      const slot = plan.detachedSlots.at(i);
      this.#executor.detachSlot(slot);
      this.#runs[slot] = undefined;
    }
    plan.detachedSlots.clear();
    for (const sequence of plan.attached) this.#attach(sequence, runOf(sequence));
  }

  /** Gives the device the true history of a sequence, which differs from the tokens that it has sampled for the slot. */
  renew(run: RequestSequence): void {
    const { sequence } = run;
    // A sequence without a slot brings its history when it gets one.
    if (sequence.slot === NO_SLOT) return;
    this.#executor.detachSlot(sequence.slot);
    this.#attach(sequence, run);
  }

  #attach(sequence: Sequence, run: RequestSequence): void {
    const { tokens } = run.request;
    this.#runs[sequence.slot] = run;
    this.#executor.attachSlot({
      slot: sequence.slot,
      sampling: run.request.samplingOf(sequence.index),
      isBeam: tokens.beam !== undefined,
      endIds: tokens.endIds,
      promptTokenIds: tokens.promptTokenIds,
      outputTokenIds: sequence.tokens.slice(sequence.promptCount, sequence.knownCount),
    });
  }
}
