/**
 * Tensor parallelism: one rank's part of a plan. Column-parallel, then row-parallel linears with one sum over ranks
 * after each pair, as in "Megatron-LM" (arXiv 1909.08053); the head is cut by vocabulary and its logits are gathered.
 */
import { AloftError, invariant } from '../../core/errors.js';
import type {
  Plan,
  PlanDims,
  PlanOp,
  PlanWeight,
  TensorSlice,
  WeightName,
  WeightPart,
} from '../../plan/plan.js';
import type { ModelDefinition, ShardRule } from '../models/model-file.js';

interface Rank {
  readonly rank: number;
  readonly worldSize: number;
}

/** The plan of one rank. @throws {AloftError} SHARDING_IMPOSSIBLE */
export function shard({ plan, shardRules }: ModelDefinition, rank: number, worldSize: number): Plan {
  if (worldSize === 1) return plan;
  checkShardable(plan.dims, worldSize);
  const at: Rank = { rank, worldSize };
  const weights: Record<WeightName, PlanWeight> = {};
  for (const [name, weight] of Object.entries(plan.weights)) {
    const kept = shardWeight(weight, shardRules[name] ?? 'replicated', plan.dims, at);
    if (kept !== undefined) weights[name] = kept;
  }
  const dims = {
    ...plan.dims,
    headCount: plan.dims.headCount / worldSize,
    kvHeadCount: Math.max(1, plan.dims.kvHeadCount / worldSize),
    intermediate: plan.dims.intermediate / worldSize,
  };
  const ops = plan.ops.flatMap((op) => shardOp(op, weights, shardRules, plan.dims.vocabulary));
  return { ...plan, rank, worldSize, dims, ops, weights };
}

function checkShardable(dims: PlanDims, worldSize: number): void {
  const obstacle = shardingObstacle(dims, worldSize);
  if (obstacle === undefined) return;
  const sizes = worldSizesOf(dims).join(', ');
  throw new AloftError(
    'SHARDING_IMPOSSIBLE',
    `--tp_size ${worldSize} ${obstacle}. This model divides over these numbers of ranks: ${sizes}.`,
  );
}

/** Numbers of ranks up to 64 that a model divides over. */
function worldSizesOf(dims: PlanDims): number[] {
  const sizes = Array.from({ length: 64 }, (_, i) => i + 1);
  return sizes.filter((worldSize) => shardingObstacle(dims, worldSize) === undefined);
}

/** Why a model does not divide over so many ranks. */
function shardingObstacle(
  { headCount, kvHeadCount, intermediate }: PlanDims,
  worldSize: number,
): string | undefined {
  if (headCount % worldSize !== 0) return `does not divide the ${headCount} attention heads`;
  if (kvHeadCount % worldSize !== 0 && worldSize % kvHeadCount !== 0)
    return `neither divides the ${kvHeadCount} key/value heads nor is a multiple of them`;
  if (intermediate % worldSize !== 0) return `does not divide the intermediate size ${intermediate}`;
  return undefined;
}

/** The rank's part of a weight, or undefined when the rank has none of it. */
function shardWeight(weight: PlanWeight, rule: ShardRule, dims: PlanDims, at: Rank): PlanWeight | undefined {
  if (rule === 'replicated') return weight;
  if (rule === 'firstRank') return at.rank === 0 ? weight : undefined;
  const parts = weight.source.parts.map((part, index) => ({
    ...part,
    slice: sliceOf(part, index, rule, dims, at),
  }));
  if (rule === 'columns') {
    const [rows, columns] = weight.shape;
    return { ...weight, shape: [rows!, columns! / at.worldSize], source: { parts } };
  }
  const rows = parts.reduce((sum, { slice }) => sum + slice.end - slice.start, 0);
  const paddedRows = rule === 'vocabularyRows' ? rowsPerRank(weight.shape[0]!, at) : rows;
  return { ...weight, shape: [paddedRows, ...weight.shape.slice(1)], source: { parts } };
}

const rowsPerRank = (rows: number, { worldSize }: Rank): number => Math.ceil(rows / worldSize);

/** The rank's share of what a part keeps, as a slice of the part's tensor. */
function sliceOf(
  { shape, slice }: WeightPart,
  partIndex: number,
  rule: Exclude<ShardRule, 'replicated' | 'firstRank'>,
  dims: PlanDims,
  at: Rank,
): TensorSlice {
  const axis = rule === 'columns' ? 1 : 0;
  invariant(
    axis < shape.length && (slice === null || slice.axis === axis),
    () => `a part of a tensor of shape [${shape.join(', ')}] cannot be cut by '${rule}'`,
  );
  const first = slice?.start ?? 0;
  const extent = (slice?.end ?? shape[axis]!) - first;
  const [start, end] = rule === 'attentionRows' && partIndex > 0 ? kvRange(dims, at) : equalRange(extent, at);
  return { axis, start: first + start, end: first + end };
}

function equalRange(extent: number, at: Rank): readonly [start: number, end: number] {
  const width = rowsPerRank(extent, at);
  const start = Math.min(extent, at.rank * width);
  return [start, Math.min(extent, start + width)];
}

/** Rows of k or v; with fewer heads than ranks, neighbouring ranks share a head. */
function kvRange(
  { kvHeadCount, headDim }: PlanDims,
  { rank, worldSize }: Rank,
): readonly [start: number, end: number] {
  const firstHead = Math.floor((rank * kvHeadCount) / worldSize);
  const heads = Math.max(1, kvHeadCount / worldSize);
  return [firstHead * headDim, (firstHead + heads) * headDim];
}

/** The rank's form of an op, with the exchange between ranks that its weight's rule asks for. */
function shardOp(
  op: PlanOp,
  weights: Readonly<Record<WeightName, PlanWeight>>,
  rules: Readonly<Record<WeightName, ShardRule>>,
  vocabulary: number,
): PlanOp[] {
  if (op.kind === 'expertDown' && rules[op.weight] === 'columns')
    return [op, { kind: 'allReduce', x: op.out }];
  if (op.kind !== 'linear') return [op];
  const bias = op.bias !== null && op.bias in weights ? op.bias : null;
  switch (rules[op.weight]) {
    case 'columns':
      return [
        { ...op, bias },
        { kind: 'allReduce', x: op.out },
      ];
    case 'vocabularyRows': {
      const part = `${op.out}OfRank`;
      return [
        { ...op, bias, out: part },
        { kind: 'allGather', x: part, out: op.out, columns: vocabulary },
      ];
    }
    default:
      return [{ ...op, bias }];
  }
}
