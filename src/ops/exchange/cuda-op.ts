/** Ops between ranks on a GPU. */
import { invariant } from '../../core/errors.js';
import { commonPart, type CudaOpDefinition } from '../cuda/definition.js';
import type { CudaOpOf } from '../cuda/lower.js';
import type { CudaScope } from '../cuda/scope.js';
import { enqueueAllGather, enqueueAllReduce, enqueueReduceNorm, type RankConnection } from './ranks.js';

/** Kernels of every plan of several ranks: those that prove the connection, and those that bring tokens. */
const CONNECTION_FILES = ['exchange/proof.cu', 'exchange/tokens.cu', 'exchange/all-reduce.cu'];

export const allReduceOp: CudaOpDefinition<CudaOpOf<'allReduce'>> = {
  kernels: () => CONNECTION_FILES.map(commonPart),
  bind({ x }, scope) {
    const ranks = ranksOf(scope);
    const [rows, summed] = [scope.rows(x), { x: scope.at(x), columns: scope.columns(x) }];
    return (step, sink) => enqueueAllReduce(ranks, rows(step), summed, sink);
  },
};

export const reduceNormOp: CudaOpDefinition<CudaOpOf<'reduceNorm'>> = {
  kernels: () => [...CONNECTION_FILES, 'exchange/reduce-norm.cu', 'rms-norm/rms-norm.cu'].map(commonPart),
  bind({ x, index, norm }, scope) {
    const [ranks, rows, next] = [ranksOf(scope), scope.rows(x), scope.next()];
    const operands = {
      x: scope.at(x),
      columns: scope.columns(x),
      residual: next.at(norm.residual),
      weight: scope.context.memory.tensor(norm.weight),
      out: next.at(norm.out),
      epsilon: norm.epsilon,
    };
    return (step, sink) =>
      enqueueReduceNorm(ranks, rows(step), operands, { sink, startNorm: () => sink.startOp?.(index + 1) });
  },
};

export const allGatherOp: CudaOpDefinition<CudaOpOf<'allGather'>> = {
  kernels: () => [commonPart('exchange/all-gather.cu')],
  bind({ x, out }, scope) {
    const ranks = ranksOf(scope);
    const [rows, columns, outColumns] = [scope.rows(x), scope.columns(x), scope.columns(out)];
    const at = { x: scope.at(x), out: scope.at(out) };
    return (step, sink) => enqueueAllGather(ranks, { rows: rows(step), columns, outColumns }, at, sink);
  },
};

function ranksOf({ context }: CudaScope): RankConnection {
  const { ranks } = context;
  invariant(ranks !== undefined, () => 'a plan of several ranks runs without a connection to the others');
  return ranks;
}
