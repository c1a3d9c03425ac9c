import { invariant } from '../../../core/errors.js';
import type { SlotState, StepInput, StepOutput } from '../../../core/step.js';
import { addressOf } from '../../../ffi/memory.js';
import { addReference } from '../../../ops/add/reference.js';
import { embeddingReference } from '../../../ops/embedding/reference.js';
import { gatherReference } from '../../../ops/gather/reference.js';
import { linearReference } from '../../../ops/linear/reference.js';
import { rowOf, zeroMatrix, type Matrix } from '../../../ops/matrix.js';
import type { CpuKvDtype } from '../../../ops/cpu/kv-layout.js';
import { ReferenceKvCache } from '../../../ops/paged-attention/reference-cache.js';
import { pagedAttentionReference } from '../../../ops/paged-attention/reference.js';
import { addRmsNormReference, rmsNormReference } from '../../../ops/rms-norm/reference.js';
import { ropeAppendReference } from '../../../ops/rope/reference.js';
import { sampleReference, scoreBeamReference, scoreReference } from '../../../ops/sample/reference.js';
import { swigluReference } from '../../../ops/swiglu/reference.js';
import { outputOf } from '../../../plan/operands.js';
import type { Plan, PlanOp } from '../../../plan/plan.js';
import { validatePlan } from '../../../plan/validate.js';
import type { Collectives } from '../../../device/collectives.js';
import type { Executor, ExecutorLimits, MemoryBudget } from '../executor.js';
import { limitsOfPlan } from '../sizing.js';
import { checkSlot, checkStep } from '../step-check.js';
import { emptyOutput, type HostSlot, logitRequest, resolveTokenIds } from '../step-results.js';

/** A weight as a plan means it: unpacked, dequantised. */
export interface LogicalWeight {
  readonly shape: readonly number[];
  /** Row-major f32 */
  readonly data: Float32Array;
}

export interface ReferenceExecutorOptions {
  readonly plan: Plan;
  readonly weight: (name: string) => LogicalWeight;
  readonly limits: Omit<ExecutorLimits, 'vocabulary'>;
  readonly kvDtype: CpuKvDtype;
  /** Needed when the plan has more than one rank. */
  readonly collectives?: Collectives;
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
  readonly #options: ReferenceExecutorOptions;
  readonly #cache: ReferenceKvCache;
  readonly #hostCache: ReferenceKvCache;
  readonly #slots = new Map<number, ReferenceSlot>();
  readonly #finished: StepOutput[] = [];

  constructor(options: ReferenceExecutorOptions) {
    const { plan, limits, kvDtype: dtype } = options;
    const { logits } = validatePlan(plan);
    invariant(logits.columns >= plan.dims.vocabulary, () => 'logits are narrower than the vocabulary');
    this.#options = options;
    this.limits = limitsOfPlan(plan, limits);
    const { blockTokens } = limits;
    this.#cache = new ReferenceKvCache(plan.dims, { blockCount: limits.blockCount, blockTokens, dtype });
    this.#hostCache = new ReferenceKvCache(plan.dims, {
      blockCount: limits.hostBlockCount,
      blockTokens,
      dtype,
    });
    const kvBytes = 2 * this.#cache.keys.byteLength;
    this.memory = {
      totalBytes: 0,
      weightBytes: 0,
      workspaceBytes: 0,
      kvBytes,
      kvBytesPerToken: kvBytes / (limits.blockCount * blockTokens),
      hostKvBytes: 2 * this.#hostCache.keys.byteLength,
    };
  }

  attachSlot(state: SlotState): void {
    checkSlot(state, this.limits, this.#slots);
    this.#slots.set(state.slot, new ReferenceSlot(state));
  }

  detachSlot(slot: number): void {
    this.#slots.delete(slot);
  }

  submit(step: StepInput): void {
    const startMs = performance.now();
    checkStep(step, this.limits, this.#slots);
    this.#moveBlocks(step);
    const logits = this.#run(step);
    const output = this.#sample(step, logits);
    this.#finished.push({ ...output, deviceMs: performance.now() - startMs, idleMs: 0 });
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

  #moveBlocks({ blocksToHost, blocksFromHost, blockCopies }: StepInput): void {
    eachPair(blocksToHost, (block, host) => this.#cache.copyBlock(block, this.#hostCache, host));
    eachPair(blocksFromHost, (block, host) => this.#hostCache.copyBlock(host, this.#cache, block));
    eachPair(blockCopies, (from, to) => this.#cache.copyBlock(from, this.#cache, to));
  }

  /** @returns [logits, vocabulary or more] */
  #run(step: StepInput): Matrix {
    const buffers = new Map<string, Matrix>();
    for (const op of this.#options.plan.ops) {
      const result = this.#runOp(op, step, (name) => buffers.get(name)!);
      if (result !== undefined) buffers.set(outputOf(op)!, result);
    }
    return buffers.get(this.#options.plan.logits)!;
  }

  /** @returns what the op defines; undefined for ops that only work in place */
  #runOp(op: PlanOp, step: StepInput, buffer: (name: string) => Matrix): Matrix | undefined {
    const { collectives } = this.#options;
    switch (op.kind) {
      case 'embedding': {
        const tokenIds = new Int32Array(step.tokenCount);
        resolveTokenIds(step, this.#slots, tokenIds);
        return embeddingReference(this.#matrix(op.table), tokenIds);
      }
      case 'rmsNorm':
        return rmsNormReference(buffer(op.x), this.#vector(op.weight), op.epsilon);
      case 'addRmsNorm': {
        const sum = { residual: buffer(op.residual), delta: buffer(op.delta) };
        return addRmsNormReference(sum, this.#vector(op.weight), op.epsilon);
      }
      case 'add':
        addReference(buffer(op.residual), buffer(op.delta));
        return undefined;
      case 'linear': {
        const bias = op.bias === null ? undefined : this.#vector(op.bias);
        return linearReference(buffer(op.x), this.#matrix(op.weight), bias);
      }
      case 'ropeAppend': {
        const promptTokens = Array.from(
          step.rowSlots.subarray(0, step.rowCount),
          (slot) => this.#slots.get(slot)!.state.promptTokenIds.length,
        );
        ropeAppendReference(buffer(op.qkv), step, this.#cache, { ...op, promptTokens });
        return undefined;
      }
      case 'pagedAttention':
        return pagedAttentionReference(buffer(op.qkv), step, this.#cache, op.layer);
      case 'swiglu':
        return swigluReference(buffer(op.gateUp));
      case 'gather':
        return gatherReference(buffer(op.x), step.logitTokens.subarray(0, step.logitCount));
      case 'allReduce': {
        const { data } = buffer(op.x);
        needed(collectives).allReduce(addressOf(data), data.length);
        return undefined;
      }
      case 'allGather': {
        const { rowCount, columnCount, data } = buffer(op.x);
        const out = zeroMatrix(rowCount, op.columns);
        const [x, to] = [addressOf(data), addressOf(out.data)];
        needed(collectives).allGather({ x, out: to, rowCount, columnCount, outColumnCount: op.columns });
        return out;
      }
    }
  }

  #sample(step: StepInput, logits: Matrix): StepOutput {
    const { vocabulary } = this.limits;
    const requests = Array.from({ length: step.logitCount }, (_, i) => logitRequest(step, i, this.#slots));
    const topCount = Math.max(0, ...requests.map((request) => request.topCount));
    const output = emptyOutput(step, topCount);
    for (const [i, request] of requests.entries()) {
      const row = rowOf(logits, i).subarray(0, vocabulary);
      const slot = this.#slots.get(request.slot)!;
      const context = { ...slot.state, outputTokenIds: slot.outputTokenIds };
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
    if (!step.returnLogits) return output;
    const rows = Array.from({ length: step.logitCount }, (_, i) => [
      ...rowOf(logits, i).subarray(0, vocabulary),
    ]);
    return { ...output, logits: Float32Array.from(rows.flat()) };
  }

  #matrix(name: string): Matrix {
    const { shape, data } = this.#options.weight(name);
    return { rowCount: shape[0]!, columnCount: shape[1]!, data };
  }

  #vector(name: string): Float32Array {
    return this.#options.weight(name).data;
  }
}

function eachPair(pairs: Int32Array, body: (first: number, second: number) => void): void {
  for (let i = 0; i < pairs.length; i += 2) body(pairs[i]!, pairs[i + 1]!);
}

function needed(collectives: Collectives | undefined): Collectives {
  invariant(collectives !== undefined, () => 'a plan of several ranks runs without collectives');
  return collectives;
}
