/** What each op of a step must move and compute at least, from the contracts of the operators. Pure. */
import type { StepInput } from '../../../core/step.js';
import { addCost } from '../../../ops/add/contract.js';
import type { OpCost } from '../../../ops/cost.js';
import { embeddingCost } from '../../../ops/embedding/contract.js';
import { gatherCost } from '../../../ops/gather/contract.js';
import { linearCost } from '../../../ops/linear/contract.js';
import { type AttentionRow, pagedAttentionCost } from '../../../ops/paged-attention/contract.js';
import { rmsNormCost } from '../../../ops/rms-norm/contract.js';
import { ropeAppendCost } from '../../../ops/rope/contract.js';
import { sampleCost } from '../../../ops/sample/contract.js';
import { swigluCost } from '../../../ops/swiglu/contract.js';
import type { InferredPlan } from '../../../plan/infer.js';
import type { BufferName, Plan } from '../../../plan/plan.js';
import { weightBytes } from '../../../plan/weight-format.js';

/** A plan on a device. */
export interface CostModel {
  readonly plan: Plan;
  readonly inferred: InferredPlan;
  /** Of an activation and of a number in the KV cache. */
  readonly bytes: { readonly activation: number; readonly cache: number };
}

const NOTHING: OpCost = { bytes: 0, flops: 0 };

/** @param index of the op; the number of ops for sampling */
export function opCost({ plan, inferred, bytes }: CostModel, index: number, step: StepInput): OpCost {
  const { dims } = plan;
  const op = plan.ops[index];
  if (op === undefined) return sampleCost(step.logitCount, dims.vocabulary);
  const value = (name: BufferName) => inferred.operands[index]!.get(name)!;
  const rows = (name: BufferName): number =>
    value(name).rows === 'tokens' ? step.tokenCount : step.logitCount;
  const { activation } = bytes;
  switch (op.kind) {
    case 'embedding': {
      const table = weightBytes(plan.weights[op.table]!.format, 1, dims.hidden) / dims.hidden;
      return embeddingCost(step.tokenCount, dims.hidden, { table, activation });
    }
    case 'rmsNorm':
    case 'addRmsNorm': {
      const name = op.kind === 'rmsNorm' ? op.x : op.residual;
      const size = { rowCount: rows(name), columnCount: value(name).columns };
      return rmsNormCost({ ...size, hasDelta: op.kind === 'addRmsNorm', elementBytes: activation });
    }
    case 'add':
      return addCost(rows(op.residual) * value(op.residual).columns, activation);
    case 'linear': {
      const [outCount, inCount] = plan.weights[op.weight]!.shape;
      return linearCost({
        tokenCount: rows(op.x),
        inCount: inCount!,
        outCount: outCount!,
        format: plan.weights[op.weight]!.format,
        activationBytes: activation,
      });
    }
    case 'ropeAppend':
      return ropeAppendCost(step.tokenCount, dims, bytes);
    case 'pagedAttention':
      return pagedAttentionCost(attentionRows(step), dims, bytes);
    case 'swiglu':
      return swigluCost(rows(op.gateUp), value(op.out).columns, activation);
    case 'gather':
      return gatherCost(step.logitCount, value(op.x).columns, activation);
    case 'allReduce':
    case 'allGather':
      return NOTHING; // depends on the ranks' links, not on the device
  }
}

function attentionRows({ rowCount, rowOffsets, contextLengths }: StepInput): AttentionRow[] {
  return Array.from({ length: rowCount }, (_, row) => ({
    tokenCount: rowOffsets[row + 1]! - rowOffsets[row]!,
    contextTokens: contextLengths[row]!,
  }));
}
