import type { BufferName } from '../names.js';
import type { OpDefinition } from './op-definition.js';

/**
 * Chooses the experts of each token: those of the largest logits, in ascending order, with their shares of the softmax over all
 * experts.  logits [tokens, experts] f32 -> out [tokens, 2 * expertsPerToken] f32: numbers of experts, then shares
 */
export interface RouteExpertsOp {
  readonly kind: 'routeExperts';
  readonly logits: BufferName;
  readonly expertsPerToken: number;
  /** Shares are divided by their sum. */
  readonly isNormalised: boolean;
  readonly out: BufferName;
}

export const routeExperts: OpDefinition<RouteExpertsOp> = {
  reads: (op) => [op.logits],
  infer(op, at) {
    const { rows, columns, dtype } = at.buffer(op.logits);
    if (dtype !== 'f32') at.fail(`buffer '${op.logits}' must be f32`);
    if (op.expertsPerToken > columns) at.fail(`${op.expertsPerToken} of ${columns} experts are wanted`);
    return { rows, columns: 2 * op.expertsPerToken, dtype: 'f32' };
  },
  print(op, at) {
    const shares = op.isNormalised ? 'normalised' : 'as they are';
    return `${at.buffer(op.out)} = routeExperts(${at.buffer(op.logits)}, ${op.expertsPerToken} experts, shares ${shares})`;
  },
  cost: (op, at) => {
    const count = at.rows(op.logits) * at.columns(op.logits);
    return { bytes: 4 * count, flops: (11 + op.expertsPerToken) * count };
  },
};
