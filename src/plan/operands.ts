import type { BufferName } from './names.js';
import { definitionOf, type PlanOp } from './ops/index.js';
import type { WeightReference } from './ops/op-definition.js';

/** Buffers that an op reads, those that it changes in place included. */
export function readsOf(op: PlanOp): readonly BufferName[] {
  return definitionOf(op).reads(op);
}

/** The buffer that an op defines; undefined for ops that only work in place. */
export function outputOf(op: PlanOp): BufferName | undefined {
  return 'out' in op ? op.out : undefined;
}

/** Weights that an op needs, with their role. */
export function weightsOf(op: PlanOp): readonly WeightReference[] {
  return definitionOf(op).weights?.(op) ?? [];
}
