/** How much device memory a CUDA executor takes, and how its workspace is laid out. Pure, so that a dry run can ask for it. */
import type { MappedMatrix, MappedTiles } from '../../../device/cuda/tensor-map.js';
import { tileShape } from '../../../ops/linear/cuda/tiles.js';
import { tileBoxes } from '../../../ops/linear/cuda/wide.js';
import type { CudaTarget } from '../../../ops/cuda/capability.js';
import { splitTokensFor } from '../../../ops/paged-attention/cuda.js';
import { SAMPLE_SLOT_BYTES } from '../../../ops/sample/cuda.js';
import { boxRowCounts, MATMUL_ROW_STEP, MIN_X_MAP_ROWS } from '../../../ops/linear/cuda/row-classes.js';
import { planBuffers } from '../../../plan/buffers.js';
import type { InferredPlan, PlanValue } from '../../../plan/infer.js';
import type { BufferName, Plan } from '../../../plan/plan.js';
import type { CudaExecutorLimits } from './cuda-executor-options.js';
import { tileMapKey, weightMapKey, xMapKey } from './emit-linear.js';

const ACTIVATION_BYTES = 2;
const WEIGHT_BOX_ROWS = 16;
const MATMUL_WORKSPACE_BYTES = 64 << 20;
/** Most log probabilities a token can report. */
export const MAX_TOP_COUNT = 32;

export interface CudaSizes {
  /** Rounded up, as every number of rows of a product by the matrix library. */
  readonly maxLogits: number;
  readonly bytes: {
    readonly workspace: number;
    readonly partials: number;
    readonly arrivals: number;
    readonly slots: number;
    readonly lastTokens: number;
    readonly history: number;
    readonly sampleWork: number;
    readonly sampleCounts: number;
    /** 0 without INT8 weights. */
    readonly denseWeight: number;
    readonly cosTable: number;
    readonly sinTable: number;
    readonly descriptor: number;
    readonly matmulWorkspace: number;
    readonly results: number;
  };
  /** Where a value that an op (by index) reads or writes under a buffer's name lies in the workspace. */
  readonly offset: (opIndex: number, name: BufferName) => number;
  /** Rows that the value has room for. */
  readonly rows: (opIndex: number, name: BufferName) => number;
}

/** @param target its attention kernels decide how many partial sums there are */
export function sizeCuda(
  { plan, inferred }: { readonly plan: Plan; readonly inferred: InferredPlan },
  limits: CudaExecutorLimits,
  target: CudaTarget,
): CudaSizes {
  const roundRows = (rows: number): number => Math.ceil(rows / MATMUL_ROW_STEP) * MATMUL_ROW_STEP;
  const maxLogits = roundRows(limits.maxLogits);
  const sizes = { maxTokens: roundRows(limits.maxStepTokens), maxLogits, activationBytes: ACTIVATION_BYTES };
  const stretched = stretchGated(plan, inferred);
  const layout = planBuffers({ ...inferred, values: [...stretched.values()] }, sizes);
  const offset = (opIndex: number, name: BufferName): number =>
    layout.offsets.get(stretched.get(inferred.operands[opIndex]!.get(name)!)!)!;
  const rows = (opIndex: number, name: BufferName): number =>
    inferred.operands[opIndex]!.get(name)!.rows === 'tokens' ? sizes.maxTokens : maxLogits;
  const { vocabulary, headDim, headCount, kvHeadCount } = plan.dims;
  const { maxRows, maxSequenceTokens } = limits;
  const splitTokens = splitTokensFor(target, headCount / kvHeadCount, limits.blockTokens);
  const maxItems = maxRows * Math.ceil(maxSequenceTokens / splitTokens);
  const maxBlocks = Math.ceil(maxSequenceTokens / limits.blockTokens);
  // Tensor maps of x cover 64 rows at least, also of the last buffer: the slack keeps them inside.
  const widest = Math.max(...inferred.values.map((value) => value.columns));
  const rotations = maxSequenceTokens * (headDim / 2) * 4;
  return {
    maxLogits,
    offset,
    rows,
    bytes: {
      workspace: layout.totalBytes + MIN_X_MAP_ROWS * widest * ACTIVATION_BYTES,
      partials: maxItems * headCount * (headDim + 2) * 4,
      arrivals: maxRows * kvHeadCount * 4,
      slots: maxRows * SAMPLE_SLOT_BYTES,
      lastTokens: maxRows * 4,
      history: maxRows * maxSequenceTokens * 4,
      sampleWork: maxLogits * vocabulary * 4,
      sampleCounts: maxLogits * vocabulary * 4,
      denseWeight: largestInt8(plan) * ACTIVATION_BYTES,
      cosTable: rotations,
      sinTable: rotations,
      descriptor:
        4 * (3 * limits.maxStepTokens + maxRows * (8 + maxBlocks) + 6 * maxLogits + 2 * maxItems + 1024),
      matmulWorkspace: MATMUL_WORKSPACE_BYTES,
      results: maxLogits * (2 + 2 * MAX_TOP_COUNT) * 4,
    },
  };
}

/** Elements of the largest INT8 weight. */
function largestInt8({ weights }: Plan): number {
  const counts = Object.values(weights).map(({ shape, format }) =>
    format.type === 'quantised' ? shape[0]! * shape[1]! : 0,
  );
  return Math.max(0, ...counts);
}

/** Values with the lives that the kernels give them: gate-up fused with SwiGLU writes the output while it reads its input. */
function stretchGated(plan: Plan, { values, operands }: InferredPlan): ReadonlyMap<PlanValue, PlanValue> {
  const stretched = new Map(values.map((value) => [value, value]));
  for (const [index, op] of plan.ops.entries()) {
    if (op.kind !== 'swiglu') continue;
    const value = operands[index]!.get(op.out)!;
    stretched.set(value, { ...value, definedAt: index - 1 });
  }
  return stretched;
}

/** Maps of every weight and of every input of a linear layer, for each size of a box. */
export function mappedMatrices(
  plan: Plan,
  buffer: (opIndex: number, name: BufferName) => number,
  tensorAddress: (name: string) => number,
  rowCount: CudaSizes['rows'],
): ReadonlyMap<string, MappedMatrix | MappedTiles> {
  const dtype = plan.activationDtype === 'bf16' ? 'bf16' : 'f16';
  const matrices = new Map<string, MappedMatrix | MappedTiles>();
  for (const [index, op] of plan.ops.entries()) {
    if (op.kind !== 'linear') continue;
    const { shape, format } = plan.weights[op.weight]!;
    const [rows, columns] = [shape[0]!, shape[1]!];
    const address = buffer(index, op.x);
    const xRows = Math.max(MIN_X_MAP_ROWS, rowCount(index, op.x));
    for (const boxRows of boxRowCounts(xRows))
      matrices.set(xMapKey(address, columns, boxRows), { address, rows: xRows, columns, boxRows, dtype });
    const weight = tensorAddress(op.weight);
    if (format.type === 'dense')
      matrices.set(weightMapKey(op.weight), {
        address: weight,
        rows,
        columns,
        boxRows: WEIGHT_BOX_ROWS,
        dtype,
      });
    else {
      const [down, across] = tileShape(rows, columns);
      for (const box of tileBoxes())
        matrices.set(tileMapKey(op.weight, box), { address: weight, down, across, box });
    }
  }
  return matrices;
}
