/** Device memory that a CUDA executor takes, and the layout of its workspace. Pure, so that a dry run can ask for it. */
import { type AreaName, AREAS, areaRecord } from '../../../ops/cuda/areas.js';
import type { CudaTarget } from '../../../ops/cuda/capability.js';
import { ACTIVATION_BYTES } from '../../../ops/cuda/dtype.js';
import { kernelLifetimes, type LoweredPlan } from '../../../ops/cuda/lower.js';
import { MATMUL_ROW_STEP, MIN_X_MAP_ROWS, ROW_CLASSES } from '../../../ops/linear/cuda/row-classes.js';
import { storedWeights } from '../../../ops/linear/cuda/stored-weights.js';
import { codeColumns } from '../../../ops/linear/cuda/wide8.js';
import { exchangeLayout, type ExchangeLayout } from '../../../ops/exchange/region.js';
import { keyTileBytes } from '../../../ops/paged-attention/cuda-expand.js';
import { maxPieceCount } from '../../../ops/paged-attention/cuda-pieces.js';
import { distinctRopes } from '../../../ops/rope/cuda-tables.js';
import { planBuffers } from '../../../plan/buffers.js';
import type { PlanValue } from '../../../plan/infer.js';
import type { LinearOp } from '../../../plan/plan.js';
import { hasOrder, type WeightFormat } from '../../../plan/weight-format.js';
import type { CudaExecutorLimits } from './cuda-executor-options.js';
import { type AttentionSplit, attentionSplit } from './step-descriptor.js';

export interface CudaSizes {
  /** Rounded up, as every number of rows of a product by the matrix library. */
  readonly maxLogits: number;
  readonly bytes: Readonly<Record<AreaName, number>>;
  /** Offset of a value of the plan in the workspace, and the rows that it has room for. */
  readonly offset: (value: PlanValue) => number;
  readonly rows: (value: PlanValue) => number;
}

/** @param target its attention kernels decide how many partial sums there are */
export function sizeCuda(lowered: LoweredPlan, limits: CudaExecutorLimits, target: CudaTarget): CudaSizes {
  const { inferred, plan } = lowered;
  const { maxRows, maxSequenceTokens, blockTokens, maxStepTokens } = limits;
  const roundRows = (rows: number): number => Math.ceil(rows / MATMUL_ROW_STEP) * MATMUL_ROW_STEP;
  const maxLogits = roundRows(limits.maxLogits);
  const sizes = { maxTokens: roundRows(maxStepTokens), maxLogits, activationBytes: ACTIVATION_BYTES };
  const lives = kernelLifetimes(lowered);
  const layout = planBuffers({ ...inferred, values: [...lives.values()] }, sizes);
  const { pieces, keyTileRoom: keyTiles } = attentionSplit(plan, target, limits);
  // Tensor maps of x cover 64 rows at least, also of the last buffer: the slack keeps them inside.
  const widest = Math.max(...inferred.values.map((value) => value.columns));
  const areaSizes = {
    dims: plan.dims,
    maxStepTokens,
    maxRows,
    maxLogits,
    samples: plan.results !== 'hiddenStates',
    maxSequenceTokens,
    ropeCount: distinctRopes(plan).length,
    maxBlocks: Math.ceil(maxSequenceTokens / blockTokens),
    maxDecodeItems: maxDecodeItems(pieces, limits),
    keyTiles,
    expandedBytes: keyTiles * keyTileBytes(plan.dims),
    workspaceBytes: layout.totalBytes + MIN_X_MAP_ROWS * widest * ACTIVATION_BYTES,
    denseCopyCount: largestDenseCopy(lowered),
    inputRows: Math.max(MIN_X_MAP_ROWS, sizes.maxTokens, maxLogits),
    inputColumns: widestInput(lowered, ({ op, columns }) =>
      op.inputBits === undefined ? 0 : codeColumns(columns),
    ),
    orderedColumns: widestInput(lowered, ({ format, columns }) => (hasOrder(format) ? columns : 0)),
    exchangeBytes: plan.worldSize > 1 ? exchangeLayoutOf(lowered, maxLogits).byteLength : 0,
  };
  return {
    maxLogits,
    bytes: areaRecord((name) => AREAS[name].bytes(areaSizes)),
    offset: (value) => layout.offsets.get(lives.get(value)!)!,
    rows: ({ rows }) => (rows === 'tokens' ? sizes.maxTokens : maxLogits),
  };
}

/** Pieces of decode attention in the largest step of any class of steps. */
function maxDecodeItems(
  pieces: AttentionSplit['pieces'],
  { maxRows, maxStepTokens, maxSequenceTokens }: CudaExecutorLimits,
): number {
  const classes = ROW_CLASSES.filter((_, i) => i === 0 || ROW_CLASSES[i - 1]! < maxStepTokens);
  const largest = classes.at(-1)!;
  const counts = classes.map((most) => {
    // The largest class stands for all above, too.
    const rows = most === largest ? maxRows : Math.min(most, maxRows);
    return rows * maxPieceCount(pieces(most), maxSequenceTokens);
  });
  return Math.max(...counts);
}

/** Where a rank keeps what the others store. @param maxLogits as in {@link CudaSizes} */
export function exchangeLayoutOf({ plan, ops, inferred }: LoweredPlan, maxLogits: number): ExchangeLayout {
  const gather = ops.find((op) => op.kind === 'allGather');
  const gatherColumns = gather && inferred.operands[gather.index]!.get(gather.x)!.columns;
  const { worldSize, dims } = plan;
  return exchangeLayout({ worldSize, hidden: dims.hidden, gatherColumns: gatherColumns ?? 0, maxLogits });
}

/** Largest number of columns that a linear layer's input needs. */
function widestInput(
  { plan, ops }: LoweredPlan,
  columnsFor: (layer: {
    readonly op: LinearOp;
    readonly format: WeightFormat;
    readonly columns: number;
  }) => number,
): number {
  const columns = ops.map((op) => {
    if (op.kind !== 'linear') return 0;
    const { shape, format } = plan.weights[op.weight]!;
    return columnsFor({ op, format, columns: shape[1]! });
  });
  return Math.max(0, ...columns);
}

/** Numbers in the largest weight of which the matrix library reads a dense copy. */
function largestDenseCopy({ plan, ops }: LoweredPlan): number {
  const counts = ops.map((op) => {
    if (op.kind !== 'linear') return 0;
    const { shape, format } = plan.weights[op.weight]!;
    return storedWeights(format).dequantise === undefined ? 0 : shape[0]! * shape[1]!;
  });
  return Math.max(0, ...counts);
}
