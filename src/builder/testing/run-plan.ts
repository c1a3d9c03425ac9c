/** Runs the plans of all ranks of an engine in lockstep with the operators' references: slow, exact, for tests of what is built. */
import { AloftError } from '../../core/errors.js';
import type { StepInput } from '../../core/step.js';
import type { EngineRank } from '../../engine/rank-file-reader.js';
import { addReference } from '../../ops/add/reference.js';
import { embeddingReference } from '../../ops/embedding/reference.js';
import { gatherReference } from '../../ops/gather/reference.js';
import { linearReference } from '../../ops/linear/reference.js';
import { type Matrix, rowOf, zeroMatrix } from '../../ops/matrix.js';
import { ReferenceKvCache } from '../../ops/paged-attention/reference-cache.js';
import { pagedAttentionReference } from '../../ops/paged-attention/reference.js';
import { addRmsNormReference, rmsNormReference } from '../../ops/rms-norm/reference.js';
import { ropeAppendReference } from '../../ops/rope/reference.js';
import { swigluReference } from '../../ops/swiglu/reference.js';
import type { PlanOp, WeightName } from '../../plan/plan.js';
import { floatsOf } from './row-major-layout.js';

/** Logits of all positions of one prompt. @param ranks opened with the row-major layout, dense. @returns [tokens, vocabulary] */
export function promptLogits(ranks: readonly EngineRank[], tokenIds: readonly number[]): Matrix {
  const states = ranks.map((engine) => new RankState(engine, tokenIds));
  const plans = ranks.map(({ plan }) => plan);
  for (const [index, first] of plans[0]!.ops.entries()) {
    if (first.kind === 'allReduce') sumOverRanks(states.map(({ buffers }) => buffers.get(first.x)!));
    else if (first.kind === 'allGather') {
      const gathered = joinColumns(
        states.map(({ buffers }) => buffers.get(first.x)!),
        first.columns,
      );
      for (const { buffers } of states) buffers.set(first.out, gathered);
    } else for (const [rank, state] of states.entries()) state.run(plans[rank]!.ops[index]!);
  }
  return states[0]!.buffers.get(plans[0]!.logits)!;
}

function sumOverRanks(parts: readonly Matrix[]): void {
  const total = parts[0]!.data.map((_, i) => parts.reduce((sum, { data }) => sum + data[i]!, 0));
  for (const { data } of parts) data.set(total);
}

function joinColumns(parts: readonly Matrix[], columns: number): Matrix {
  const joined = zeroMatrix(parts[0]!.rowCount, columns);
  for (let row = 0; row < joined.rowCount; row++)
    rowOf(joined, row).set(parts.flatMap((part) => Array.from(rowOf(part, row))).slice(0, columns));
  return joined;
}

class RankState {
  readonly buffers = new Map<string, Matrix>();
  readonly #engine: EngineRank;
  readonly #step: StepInput;
  readonly #cache: ReferenceKvCache;

  constructor(engine: EngineRank, tokenIds: readonly number[]) {
    this.#engine = engine;
    this.#step = promptStep(tokenIds);
    const paging = { blockCount: 1, blockTokens: tokenIds.length, dtype: 'f32' } as const;
    this.#cache = new ReferenceKvCache(engine.plan.dims, paging);
  }

  run(op: PlanOp): void {
    const out = this.#result(op);
    if (out !== undefined && 'out' in op) this.buffers.set(op.out, out);
  }

  #result(op: PlanOp): Matrix | undefined {
    const x = (name: string): Matrix => this.buffers.get(name)!;
    switch (op.kind) {
      case 'embedding':
        return embeddingReference(this.#matrix(op.table), this.#step.tokenIds);
      case 'rmsNorm':
        return rmsNormReference(x(op.x), this.#matrix(op.weight).data, op.epsilon);
      case 'addRmsNorm': {
        const sum = { residual: x(op.residual), delta: x(op.delta) };
        return addRmsNormReference(sum, this.#matrix(op.weight).data, op.epsilon);
      }
      case 'add':
        addReference(x(op.residual), x(op.delta));
        return undefined;
      case 'linear': {
        const bias = op.bias === null ? undefined : this.#matrix(op.bias).data;
        return linearReference(x(op.x), this.#matrix(op.weight), bias);
      }
      case 'ropeAppend':
        ropeAppendReference(x(op.qkv), this.#step, this.#cache, {
          ...op,
          promptTokens: [this.#step.tokenCount],
        });
        return undefined;
      case 'pagedAttention':
        return pagedAttentionReference(x(op.qkv), this.#step, this.#cache, op.layer);
      case 'swiglu':
        return swigluReference(x(op.gateUp));
      case 'gather':
        return gatherReference(x(op.x), this.#step.logitTokens);
      default:
        throw new AloftError('INTERNAL', `'${op.kind}' needs all ranks.`);
    }
  }

  #matrix(name: WeightName): Matrix {
    const tensor = this.#engine.tensor(name);
    const { dtype, shape } = tensor;
    const [rowCount, columnCount] = shape.length === 1 ? [1, shape[0]!] : [shape[0]!, shape[1]!];
    return { rowCount, columnCount, data: floatsOf({ dtype, shape, bytes: tensor.bytes() }) };
  }
}

/** One row with the whole prompt, which asks for the logits of every token. */
function promptStep(tokenIds: readonly number[]): StepInput {
  const count = tokenIds.length;
  const none = new Int32Array(0);
  const indices = Int32Array.from(tokenIds.keys());
  return {
    stepId: 0,
    tokenCount: count,
    rowCount: 1,
    logitCount: count,
    tokenIds: Int32Array.from(tokenIds),
    positions: indices,
    rowOffsets: Int32Array.of(0, count),
    rowSlots: Int32Array.of(0),
    contextLengths: Int32Array.of(count),
    blockTables: Int32Array.of(0),
    maxBlocksPerSequence: 1,
    logitTokens: indices,
    logitRows: new Int32Array(count),
    logitTargets: new Int32Array(count),
    blocksToHost: none,
    blocksFromHost: none,
    blockCopies: none,
    returnLogits: true,
  };
}
