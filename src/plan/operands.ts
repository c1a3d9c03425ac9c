import type { BufferName, PlanOp, WeightName } from './plan.js';

/** Buffers that an op reads, those that it changes in place included. */
export function readsOf(op: PlanOp): readonly BufferName[] {
  switch (op.kind) {
    case 'embedding':
      return [];
    case 'rmsNorm':
    case 'linear':
    case 'gather':
    case 'allReduce':
    case 'allGather':
      return [op.x];
    case 'addRmsNorm':
    case 'add':
      return [op.residual, op.delta];
    case 'ropeAppend':
    case 'pagedAttention':
      return [op.qkv];
    case 'swiglu':
      return [op.gateUp];
  }
}

/** The buffer that an op defines; undefined for ops that only work in place. */
export function outputOf(op: PlanOp): BufferName | undefined {
  return 'out' in op ? op.out : undefined;
}

/** How an op uses a weight: as a table of rows, as a vector, or as a matrix that multiplies. */
export type WeightRole = 'table' | 'vector' | 'linear';

/** Weights that an op needs, with their role. */
export function weightsOf(op: PlanOp): readonly (readonly [WeightName, WeightRole])[] {
  switch (op.kind) {
    case 'embedding':
      return [[op.table, 'table']];
    case 'rmsNorm':
    case 'addRmsNorm':
      return [[op.weight, 'vector']];
    case 'linear':
      return op.bias === null
        ? [[op.weight, 'linear']]
        : [
            [op.weight, 'linear'],
            [op.bias, 'vector'],
          ];
    default:
      return [];
  }
}
