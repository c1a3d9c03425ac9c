import type { BufferName, WeightName } from '../names.js';
import { weightBytes } from '../weight-format.js';
import type { CostContext, OpCost } from './op-cost.js';
import type { OpDefinition } from './op-definition.js';

/**
 * The first half of the networks of each token's experts: out = silu(gate) * up, gateUp being x times the rows of the expert.
 * x [tokens, hidden], weight [experts * 2 * inter, hidden]: of each expert gate, then up -> out [tokens, expertsPerToken * inter]
 */
export interface ExpertGateUpOp {
  readonly kind: 'expertGateUp';
  readonly x: BufferName;
  /** Result of a `routeExperts`. */
  readonly routes: BufferName;
  readonly weight: WeightName;
  readonly expertCount: number;
  readonly out: BufferName;
}

export const expertGateUp: OpDefinition<ExpertGateUpOp> = {
  reads: (op) => [op.x, op.routes],
  weights: (op) => [[op.weight, 'experts']],
  infer(op, at) {
    const { rows, columns } = at.buffer(op.x);
    const [weightRows] = at.weight(op.weight, [null, columns]);
    const inter = weightRows! / (2 * op.expertCount);
    if (!Number.isInteger(inter)) at.fail(`${weightRows} rows are not those of ${op.expertCount} experts`);
    return { rows, columns: (at.buffer(op.routes).columns / 2) * inter, dtype: 'activation' };
  },
  print: (op, at) =>
    `${at.buffer(op.out)} = expertGateUp(${at.buffer(op.x)}, ${at.buffer(op.routes)}, ${at.weight(op.weight)})`,
  cost: (op, at) => expertCost(op, at, at.rows(op.x) * (at.columns(op.x) + at.columns(op.out))),
};

/** @param activationCount numbers that are read and written beside the weights */
export function expertCost(
  { routes, weight, expertCount }: Pick<ExpertGateUpOp, 'routes' | 'weight' | 'expertCount'>,
  at: CostContext,
  activationCount: number,
): OpCost {
  const { shape, format } = at.weight(weight);
  const pairCount = (at.rows(routes) * at.columns(routes)) / 2;
  const rowsOfExpert = shape[0]! / expertCount;
  // Tokens that choose the same expert share its weights; at best each pair reads one.
  const usedCount = Math.min(expertCount, pairCount);
  return {
    bytes: weightBytes(format, usedCount * rowsOfExpert, shape[1]!) + activationCount * at.bytes.activation,
    flops: 2 * pairCount * rowsOfExpert * shape[1]!,
  };
}
