import { invariant } from '../../../core/errors.js';
import type { SlotState, StepInput, StepOutput } from '../../../core/step.js';
import type { CpuKvDtype } from '../../../ops/cpu/kv-layout.js';
import { rowOf, type Matrix } from '../../../ops/matrix.js';
import { sampleReference, scoreBeamReference, scoreReference } from '../../../ops/sample/reference.js';
import { validatePlan } from '../../../plan/validate.js';
import type { Executor, ExecutorLimits, MemoryBudget } from '../executor.js';
import { limitsOfPlan } from '../opening/sizing.js';
import { checkSlot, checkStep, MaskWait } from '../step-check.js';
import { emptyOutput, type HostSlot, logitRequest, maskOf, resolveTokenIds } from '../step-results.js';
import { LockstepCollectives } from './lockstep-collectives.js';
import { type RankModel, ReferenceRank } from './reference-rank.js';

/** The model on rank 0, with what all ranks share. */
export interface ReferenceExecutorOptions extends RankModel {
  /** The model on ranks 1 and up, which run in lockstep with rank 0. Default: there is one rank. */
  readonly otherRanks?: readonly RankModel[];
  readonly limits: Omit<ExecutorLimits, 'vocabulary'>;
  readonly kvDtype: CpuKvDtype;
}

class ReferenceSlot implements HostSlot {
  readonly state: SlotState;
  readonly outputTokenIds: number[];

  constructor(state: SlotState) {
    this.state = state;
    this.outputTokenIds = [...state.outputTokenIds];
  }

  get sampling(): SlotState['sampling'] {
    return this.state.sampling;
  }

  get lastTokenId(): number | undefined {
    return this.outputTokenIds.at(-1);
  }

  get hasLastToken(): boolean {
    return this.outputTokenIds.length > 0;
  }
}

/** Runs a plan with the scalar references: the specification of every other executor, and very slow. */
export class ReferenceExecutor implements Executor {
  readonly limits: ExecutorLimits;
  readonly memory: MemoryBudget;
  readonly #ranks: readonly ReferenceRank[];
  readonly #collectives: LockstepCollectives;
  readonly #slots = new Map<number, ReferenceSlot>();
  readonly #finished: StepOutput[] = [];
  readonly #maskWait = new MaskWait();
  /** Samples the step that waits for masks, once it has them. */
  #sampleLater: (step: StepInput) => void = () => undefined;

  constructor({ plan, weight, otherRanks = [], limits, kvDtype: dtype }: ReferenceExecutorOptions) {
    const models = [{ plan, weight }, ...otherRanks];
    invariant(
      models.length === plan.worldSize,
      () => `${models.length} ranks for a plan of ${plan.worldSize}`,
    );
    for (const model of models) validatePlan(model.plan);
    this.#ranks = models.map((model) => new ReferenceRank(model, { ...limits, dtype }));
    this.#collectives = new LockstepCollectives(models.length);
    this.limits = limitsOfPlan(plan, limits);
    const kvBytes = this.#ranks.reduce((sum, rank) => sum + rank.kvBytes, 0);
    this.memory = {
      totalBytes: 0,
      weightBytes: 0,
      workspaceBytes: 0,
      kvBytes,
      kvBytesPerToken: kvBytes / (limits.blockCount * limits.blockTokens),
      hostKvBytes: this.#ranks.reduce((sum, rank) => sum + rank.hostKvBytes, 0),
    };
  }

  attachSlot(state: SlotState): void {
    checkSlot(state, this.limits, this.#slots);
    this.#maskWait.attach(state.slot);
    this.#slots.set(state.slot, new ReferenceSlot(state));
  }

  detachSlot(slot: number): void {
    this.#slots.delete(slot);
  }

  submit(step: StepInput): void {
    const startMs = performance.now();
    checkStep(step, this.limits, this.#slots);
    this.#maskWait.submit(step);
    for (const rank of this.#ranks) rank.moveBlocks(step);
    const logits = this.#run(step);
    // Slots that are detached before the masks come are sampled as they were.
    const slots = step.masksFollow ? new Map(this.#slots) : this.#slots;
    const sample = (whole: StepInput): void => {
      const output = this.#sample(whole, logits, slots);
      this.#finished.push({ ...output, deviceMs: performance.now() - startMs, idleMs: 0 });
    };
    if (step.masksFollow) this.#sampleLater = sample;
    else sample(step);
  }

  supplyMasks(stepId: number, masks: Int32Array): void {
    this.#sampleLater(this.#maskWait.supply(stepId, masks, this.limits));
  }

  collect(): Promise<StepOutput> {
    const output = this.#finished.shift();
    invariant(output !== undefined, () => 'no step was submitted');
    return Promise.resolve(output);
  }

  dispose(): Promise<void> {
    this.#slots.clear();
    return Promise.resolve();
  }

  /** @returns [logits, vocabulary or more] */
  #run(input: StepInput): Matrix {
    const tokenIds = new Int32Array(input.tokenCount);
    resolveTokenIds(input, this.#slots, tokenIds);
    const slots = Array.from(input.rowSlots.subarray(0, input.rowCount));
    const promptTokens = slots.map((slot) => this.#slots.get(slot)!.state.promptTokenIds.length);
    const runs = this.#ranks.map((rank) => rank.start({ input, tokenIds, promptTokens }, this.#collectives));
    for (const index of this.#ranks[0]!.plan.ops.keys()) for (const runOp of runs) runOp(index);
    return this.#ranks[0]!.logits;
  }

  #sample(step: StepInput, logits: Matrix, slots: ReadonlyMap<number, ReferenceSlot>): StepOutput {
    const { vocabulary, hiddenColumns } = this.limits;
    if (hiddenColumns !== undefined) return this.#hiddenStates(step, logits, slots);
    const requests = Array.from({ length: step.logitCount }, (_, i) => logitRequest(step, i, slots));
    const topCount = Math.max(0, ...requests.map((request) => request.topCount));
    const output = emptyOutput(step, topCount);
    for (const [i, request] of requests.entries()) {
      const row = rowOf(logits, i).subarray(0, vocabulary);
      const slot = slots.get(request.slot)!;
      const mask = maskOf(step, i, vocabulary);
      const context = { ...slot.state, outputTokenIds: slot.outputTokenIds, mask };
      const beam =
        slot.state.isBeam && request.target < 0
          ? scoreBeamReference(row, context, request.topCount)
          : undefined;
      const token =
        beam?.tokenId ??
        (request.target >= 0 ? request.target : sampleReference(row, context, request.position));
      if (request.target < 0) slot.outputTokenIds.push(Math.max(0, token));
      output.tokenIds[i] = token;
      if (request.topCount < 0 || token < 0) continue;
      const { logprob, top } = beam ?? scoreReference(row, token, request.topCount);
      output.logprobs[i] = logprob;
      for (const [rank, entry] of top.entries()) {
        output.topTokenIds[i * topCount + rank] = entry.tokenId;
        output.topLogprobs[i * topCount + rank] = entry.logprob;
      }
    }
    return step.returnLogits
      ? { ...output, logits: firstColumns(logits, step.logitCount, vocabulary) }
      : output;
  }

  #hiddenStates(step: StepInput, states: Matrix, slots: ReadonlyMap<number, ReferenceSlot>): StepOutput {
    const output = emptyOutput(step, 0);
    for (let i = 0; i < step.logitCount; i++) {
      if (step.logitTargets[i] === -1) slots.get(step.rowSlots[step.logitRows[i]!]!)!.outputTokenIds.push(0);
    }
    const { hidden } = this.#ranks[0]!.plan.dims;
    return step.returnLogits ? { ...output, logits: firstColumns(states, step.logitCount, hidden) } : output;
  }
}

/** [rowCount, columnCount] of a matrix that may have more. */
function firstColumns(matrix: Matrix, rowCount: number, columnCount: number): Float32Array {
  const values = new Float32Array(rowCount * columnCount);
  for (let row = 0; row < rowCount; row++)
    values.set(rowOf(matrix, row).subarray(0, columnCount), row * columnCount);
  return values;
}
