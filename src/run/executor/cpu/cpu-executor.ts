import { totalmem } from 'node:os';
import { AloftError, invariant } from '../../../core/errors.js';
import type { SlotState, StepInput, StepOutput } from '../../../core/step.js';
import { addressOf, allocateHost, copyHost, type HostArea } from '../../../ffi/memory.js';
import { createStepView, type StepView } from '../../../ops/cpu/step-view.js';
import { RowRotations } from '../../../ops/rope/cpu.js';
import { dependsOnPrompt, rotationTable, type RotationTable } from '../../../ops/rope/rotation.js';
import { bindSample, SampleRows, type SampleKernel } from '../../../ops/sample/cpu.js';
import { planBuffers, type BufferLayout } from '../../../plan/buffers.js';
import type { InferredPlan } from '../../../plan/infer.js';
import type { Plan, RopeParams } from '../../../plan/plan.js';
import { validatePlan } from '../../../plan/validate.js';
import type { CpuExecutorLimits, CpuExecutorOptions } from './cpu-executor-options.js';
import { CpuKvCache } from './cpu-kv-cache.js';
import { compileProgram } from './cpu-program.js';
import { CpuSlot, type CpuSlots, feedBack } from './cpu-slot.js';
import type { Instruction } from './op-scope.js';
import type { Executor, ExecutorLimits, MemoryBudget } from '../executor.js';
import { limitsOfPlan } from '../opening/sizing.js';
import { checkSlot, checkStep, MaskWait } from '../step-check.js';
import { emptyOutput, logitRequest, maskOf, resolveTokenIds } from '../step-results.js';

/** Rotations of the rows of a step under one set of parameters. */
interface RopeState {
  readonly rope: RopeParams;
  readonly common: RotationTable;
  readonly rows: RowRotations;
  /** Rotations of all prompts that are too long for `common`, once there was one, where these do not depend on its length. */
  long: RotationTable | undefined;
}

type WorkspaceLimits = Pick<CpuExecutorLimits, 'maxStepTokens' | 'maxLogits'>;

/** Bytes of activations that an executor with these limits allocates. */
export function cpuWorkspaceBytes(plan: Plan, limits: WorkspaceLimits): number {
  return workspaceLayout(validatePlan(plan), limits).totalBytes;
}

function workspaceLayout(inferred: InferredPlan, limits: WorkspaceLimits): BufferLayout {
  return planBuffers(inferred, {
    maxTokens: limits.maxStepTokens,
    maxLogits: limits.maxLogits,
    activationBytes: 4,
  });
}

/**
 * Runs a plan with the CPU kernels. A step runs at once, on the calling thread and those of the pool; `collect` hands out
 * what is done. Results for a sequence have the same bits whatever else is in the batch and however its prompt is chunked.
 */
export class CpuExecutor implements Executor {
  readonly limits: ExecutorLimits;
  readonly memory: MemoryBudget;
  readonly computeThreadCount: number;
  readonly #options: CpuExecutorOptions;
  readonly #workspace: HostArea;
  readonly #logits: { readonly address: number; readonly columns: number };
  readonly #cache: CpuKvCache;
  readonly #stepView: StepView = createStepView();
  readonly #tokenIds: Int32Array; // [maxStepTokens]
  readonly #program: readonly Instruction[];
  readonly #sample: SampleKernel;
  readonly #sampleRows: SampleRows;
  readonly #ropes: RopeState[] = [];
  readonly #slots = new Map<number, CpuSlot>();
  readonly #finished: StepOutput[] = [];
  readonly #maskWait = new MaskWait();
  /** Samples the step that waits for masks, once it has them. */
  #sampleLater: (step: StepInput) => void = () => undefined;
  /** When the step that runs began. */
  #startMs = 0;
  #lastEndMs: number | undefined;

  /** @throws {AloftError} OUT_OF_MEMORY, INTERNAL on an invalid plan */
  constructor(options: CpuExecutorOptions) {
    const { plan, limits, pool, kvDtype: dtype } = options;
    const { blockTokens, blockCount, hostBlockCount } = limits;
    invariant(
      blockTokens >= 8 && blockTokens <= 128 && blockTokens % 8 === 0,
      () => `blocks of ${blockTokens} tokens; multiples of 8 from 8 to 128 are possible`,
    );
    const inferred = validatePlan(plan);
    const layout = workspaceLayout(inferred, limits);
    this.#options = options;
    this.limits = limitsOfPlan(plan, limits);
    this.#tokenIds = new Int32Array(limits.maxStepTokens);
    this.#workspace = allocateHost(layout.totalBytes);
    this.#cache = new CpuKvCache({ dims: plan.dims, dtype, blockTokens, blockCount, hostBlockCount });
    const logitsAddress = this.#workspace.address + layout.offsets.get(inferred.logits)!;
    this.#logits = { address: logitsAddress, columns: inferred.logits.columns };
    const program = compileProgram({
      plan,
      inferred,
      library: pool.library,
      pool: pool.handle,
      tensorAddress: options.tensorAddress,
      workspace: { address: this.#workspace.address, layout },
      cache: this.#cache,
      stepView: this.#stepView,
      rotations: (rope) => this.#ropeState(rope).rows,
      collectives: options.collectives,
    });
    const sample = bindSample(pool.library);
    const isProfiled = options.profile !== undefined;
    this.#program = isProfiled ? program.map((instruction, i) => this.#timed(instruction, i)) : program;
    this.#sample = isProfiled ? this.#timed(sample, plan.ops.length) : sample;
    this.#sampleRows = new SampleRows(limits.maxLogits);
    this.computeThreadCount = pool.threadCount;
    this.memory = {
      totalBytes: totalmem(),
      weightBytes: options.weightBytes,
      workspaceBytes: layout.totalBytes,
      kvBytes: this.#cache.deviceBytes,
      kvBytesPerToken: this.#cache.layout.blockStrideBytes / blockTokens,
      hostKvBytes: this.#cache.hostBytes,
    };
  }

  attachSlot(state: SlotState): void {
    checkSlot(state, this.limits, this.#slots);
    this.#maskWait.attach(state.slot);
    this.#slots.set(state.slot, new CpuSlot(state));
  }

  detachSlot(slot: number): void {
    this.#slots.delete(slot);
  }

  submit(step: StepInput): void {
    const startMs = performance.now();
    this.#startMs = startMs;
    checkStep(step, this.limits, this.#slots);
    this.#maskWait.submit(step);
    resolveTokenIds(step, this.#slots, this.#tokenIds);
    this.#options.announce?.(step, this.#tokenIds);
    this.#cache.move(step);
    this.#stepView.set(step);
    this.#setRotations(step);
    const counts = {
      tokenCount: step.tokenCount,
      logitCount: step.logitCount,
      tokenIds: addressOf(this.#tokenIds),
      logitTokens: addressOf(step.logitTokens),
    };
    if (step.tokenCount > 0) for (const instruction of this.#program) instruction(counts);
    this.#requireWeights();
    const idleMs = startMs - (this.#lastEndMs ?? startMs);
    if (step.masksFollow) {
      // Slots that are detached before the masks come are sampled as they were.
      const slots = new Map(this.#slots);
      const forwardEndMs = performance.now();
      this.#sampleLater = (whole) => {
        const waitMs = performance.now() - forwardEndMs;
        this.#finish(whole, slots, { startMs: startMs + waitMs, idleMs: idleMs + waitMs });
      };
    } else this.#finish(step, this.#slots, { startMs, idleMs });
  }

  supplyMasks(stepId: number, masks: Int32Array): void {
    this.#sampleLater(this.#maskWait.supply(stepId, masks, this.limits));
  }

  /** Samples a step whose forward pass is done. @param times its start, as if it had never waited, and all its waits */
  #finish(step: StepInput, slots: CpuSlots, times: { startMs: number; idleMs: number }): void {
    // Rank 0 samples for all: where two tokens are almost equally likely, ranks that chose alone might differ.
    const output = this.#options.plan.rank === 0 ? this.#sampleAll(step, slots) : emptyOutput(step, 0);
    this.#lastEndMs = performance.now();
    this.#finished.push({ ...output, deviceMs: this.#lastEndMs - times.startMs, idleMs: times.idleMs });
  }

  /** @throws {AloftError} ENGINE_CORRUPT when weights have become zeros */
  #requireWeights(): void {
    const lostPages = this.#options.lostPages?.() ?? 0;
    if (lostPages === 0) return;
    throw new AloftError(
      'ENGINE_CORRUPT',
      `The engine's file was made shorter while it was in use: ${lostPages} pages of weights are gone. Replace engines by renaming them, and load this one again.`,
    );
  }

  collect(): Promise<StepOutput> {
    const output = this.#finished.shift();
    invariant(output !== undefined, () => 'no step was submitted');
    return Promise.resolve(output);
  }

  dispose(): Promise<void> {
    this.#slots.clear();
    this.#workspace.dispose();
    this.#cache.dispose();
    this.#options.pool.dispose();
    this.#options.onDispose?.();
    return Promise.resolve();
  }

  #ropeState(rope: RopeParams): RopeState {
    const known = this.#ropes.find((state) => JSON.stringify(state.rope) === JSON.stringify(rope));
    if (known !== undefined) return known;
    const { maxSequenceTokens: positionCount, maxRows } = this.limits;
    const common = rotationTable(rope, this.#options.plan.dims.headDim, { positionCount });
    const state: RopeState = { rope, common, rows: new RowRotations(maxRows, common), long: undefined };
    this.#ropes.push(state);
    return state;
  }

  #setRotations(step: StepInput): void {
    for (const state of this.#ropes) {
      if (!dependsOnPrompt(state.rope, Infinity)) continue;
      for (let row = 0; row < step.rowCount; row++)
        state.rows.set(row, this.#rotationOf(this.#slots.get(step.rowSlots[row]!)!, state));
    }
  }

  /** The table of a slot's tokens: its own one if its prompt needs it. */
  #rotationOf(slot: CpuSlot, state: RopeState): RotationTable {
    const { rope, common } = state;
    const promptTokens = slot.state.promptTokenIds.length;
    if (!dependsOnPrompt(rope, promptTokens)) return common;
    const { maxSequenceTokens: positionCount } = this.limits;
    const table = () => rotationTable(rope, this.#options.plan.dims.headDim, { positionCount, promptTokens });
    if (rope.scaling.type === 'longrope') return (state.long ??= table());
    const own = slot.rotations.get(rope) ?? table();
    slot.rotations.set(rope, own);
    return own;
  }

  #sampleAll(step: StepInput, slots: CpuSlots): StepOutput {
    const { logitCount } = step;
    const { vocabulary, hiddenColumns } = this.limits;
    if (hiddenColumns !== undefined) return this.#hiddenStates(step, slots);
    let topCount = 0;
    for (let i = 0; i < logitCount; i++) {
      const request = logitRequest(step, i, slots);
      topCount = Math.max(topCount, request.topCount);
      const words = maskOf(step, i, vocabulary);
      const mask = words === undefined ? 0 : addressOf(words);
      this.#sampleRows.set(i, slots.get(request.slot)!.native, { ...request, mask });
    }
    const output = emptyOutput(step, topCount);
    if (logitCount === 0) return output;
    this.#sample(
      this.#options.pool.handle,
      this.#logits.address,
      this.#logits.columns,
      vocabulary,
      this.#sampleRows.address,
      logitCount,
      topCount,
      addressOf(output.tokenIds),
      addressOf(output.logprobs),
      addressOf(output.topTokenIds),
      addressOf(output.topLogprobs),
    );
    feedBack(step, slots, output);
    return step.returnLogits ? { ...output, logits: this.#copyLogits(logitCount) } : output;
  }

  #hiddenStates(step: StepInput, slots: CpuSlots): StepOutput {
    const output = emptyOutput(step, 0);
    feedBack(step, slots, output);
    return step.returnLogits ? { ...output, logits: this.#copyLogits(step.logitCount) } : output;
  }

  /** @returns [logitCount, vocabulary or hidden columns] */
  #copyLogits(logitCount: number): Float32Array {
    const { vocabulary, hiddenColumns: width = vocabulary } = this.limits;
    const { address, columns } = this.#logits;
    const logits = new Float32Array(logitCount * width);
    const to = addressOf(logits);
    for (let i = 0; i < logitCount; i++) copyHost(to + i * width * 4, address + i * columns * 4, width * 4);
    return logits;
  }

  /** `call` that tells the profile about itself. */
  #timed<Arguments extends unknown[]>(call: (...args: Arguments) => void, opIndex: number) {
    const { plan, profile } = this.#options;
    const kernel = plan.ops[opIndex]?.kind ?? 'sample';
    return (...args: Arguments): void => {
      const startMs = performance.now();
      call(...args);
      const ms = performance.now() - startMs;
      profile?.({ opIndex, kernel, startMs: startMs - this.#startMs, ms });
    };
  }
}
