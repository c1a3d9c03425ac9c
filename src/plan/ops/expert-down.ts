import type { BufferName, WeightName } from '../names.js';
import { expertCost } from './expert-gate-up.js';
import { expectColumns, type OpDefinition } from './op-definition.js';

/**
 * The second half: the sum over a token's experts of share * (gated times the rows of the expert).
 * gated [tokens, expertsPerToken * inter], weight [experts * hidden, inter] -> out [tokens, hidden]
 */
export interface ExpertDownOp {
  readonly kind: 'expertDown';
  readonly gated: BufferName;
  /** Result of a `routeExperts`. */
  readonly routes: BufferName;
  readonly weight: WeightName;
  readonly expertCount: number;
  readonly out: BufferName;
}

export const expertDown: OpDefinition<ExpertDownOp> = {
  reads: (op) => [op.gated, op.routes],
  weights: (op) => [[op.weight, 'experts']],
  infer(op, at) {
    const perToken = at.buffer(op.routes).columns / 2;
    const [weightRows, inter] = at.weight(op.weight, [null, null]);
    expectColumns(at, op.gated, perToken * inter!);
    const columns = weightRows! / op.expertCount;
    if (!Number.isInteger(columns)) at.fail(`${weightRows} rows are not those of ${op.expertCount} experts`);
    return { rows: at.buffer(op.gated).rows, columns, dtype: 'activation' };
  },
  print: (op, at) =>
    `${at.buffer(op.out)} = expertDown(${at.buffer(op.gated)}, ${at.buffer(op.routes)}, ${at.weight(op.weight)})`,
  cost: (op, at) => expertCost(op, at, at.rows(op.gated) * (at.columns(op.gated) + at.columns(op.out))),
};
