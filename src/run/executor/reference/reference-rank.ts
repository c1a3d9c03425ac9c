import type { StepInput } from '../../../core/step.js';
import type { Collectives } from '../../../device/collectives.js';
import type { CpuKvDtype } from '../../../ops/cpu/kv-layout.js';
import type { Matrix } from '../../../ops/matrix.js';
import { ReferenceKvCache } from '../../../ops/paged-attention/reference-cache.js';
import { outputOf } from '../../../plan/operands.js';
import { dispatch } from '../../../plan/ops/index.js';
import type { Plan } from '../../../plan/plan.js';
import type { ExecutorLimits } from '../executor.js';
import { REFERENCE_OPS, type ReferenceScope, type ReferenceStep } from './reference-ops.js';

/** A weight as a plan means it: unpacked, dequantised. */
export interface LogicalWeight {
  readonly shape: readonly number[];
  /** Row-major f32 */
  readonly data: Float32Array;
}

/** The part of a model that one rank computes. */
export interface RankModel {
  readonly plan: Plan;
  readonly weight: (name: string) => LogicalWeight;
}

export type ReferenceCacheSizes = Pick<ExecutorLimits, 'blockTokens' | 'blockCount' | 'hostBlockCount'> & {
  readonly dtype: CpuKvDtype;
};

/** One rank's KV cache, and its buffers while a step runs. */
export class ReferenceRank {
  readonly plan: Plan;
  readonly #weight: RankModel['weight'];
  readonly #cache: ReferenceKvCache;
  readonly #hostCache: ReferenceKvCache;
  #buffers = new Map<string, Matrix>();

  constructor({ plan, weight }: RankModel, { blockCount, hostBlockCount, ...paging }: ReferenceCacheSizes) {
    this.plan = plan;
    this.#weight = weight;
    this.#cache = new ReferenceKvCache(plan.dims, { blockCount, ...paging });
    this.#hostCache = new ReferenceKvCache(plan.dims, { blockCount: hostBlockCount, ...paging });
  }

  get kvBytes(): number {
    return 2 * this.#cache.keys.byteLength;
  }

  get hostKvBytes(): number {
    return 2 * this.#hostCache.keys.byteLength;
  }

  /** [logits, vocabulary or more], after the last op. */
  get logits(): Matrix {
    return this.#buffers.get(this.plan.logits)!;
  }

  /** Makes the block moves of a step. */
  moveBlocks({ blocksToHost, blocksFromHost, blockCopies }: StepInput): void {
    eachPair(blocksToHost, (block, host) => this.#cache.copyBlock(block, this.#hostCache, host));
    eachPair(blocksFromHost, (block, host) => this.#hostCache.copyBlock(host, this.#cache, block));
    eachPair(blockCopies, (from, to) => this.#cache.copyBlock(from, this.#cache, to));
  }

  /** Drops the buffers of the step before and returns a function that runs an op, by its index. */
  start(step: ReferenceStep, collectives: Collectives): (index: number) => void {
    const buffers = new Map<string, Matrix>();
    this.#buffers = buffers;
    const scope: ReferenceScope = {
      step,
      cache: this.#cache,
      collectives,
      buffer: (name) => buffers.get(name)!,
      matrix: (name) => {
        const { shape, data } = this.#weight(name);
        return { rowCount: shape[0]!, columnCount: shape[1]!, data };
      },
      vector: (name) => this.#weight(name).data,
    };
    return (index) => {
      const op = this.plan.ops[index]!;
      const result = dispatch(REFERENCE_OPS, op, scope);
      if (result !== undefined) buffers.set(outputOf(op)!, result);
    };
  }
}

function eachPair(pairs: Int32Array, body: (first: number, second: number) => void): void {
  for (let i = 0; i < pairs.length; i += 2) body(pairs[i]!, pairs[i + 1]!);
}
