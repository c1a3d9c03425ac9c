/** Tables of rotations on a GPU: one for each set of parameters that a plan's layers have, one after another. Pure. */
import { invariant } from '../../core/errors.js';
import type { Plan, RopeParams } from '../../plan/plan.js';

/** The different parameters of a plan, in the order of its layers. */
export function distinctRopes({ ops }: Pick<Plan, 'ops'>): readonly RopeParams[] {
  const ropes = ops.flatMap((op) => (op.kind === 'ropeAppend' ? [op.rope] : []));
  return [...new Map(ropes.map((rope) => [JSON.stringify(rope), rope])).values()];
}

/** Bytes of one table of cosines or sines. */
export function rotationBytes({ headDim }: Pick<Plan['dims'], 'headDim'>, positionCount: number): number {
  return positionCount * (headDim / 2) * Float32Array.BYTES_PER_ELEMENT;
}

/** Where the table of these parameters begins, in bytes from the first. */
export function rotationOffset(plan: Plan, rope: RopeParams, positionCount: number): number {
  const key = JSON.stringify(rope);
  const index = distinctRopes(plan).findIndex((one) => JSON.stringify(one) === key);
  invariant(index >= 0, () => `the plan has no rotation ${key}`);
  return index * rotationBytes(plan.dims, positionCount);
}
