/** Everything that a CUDA executor keeps in device memory, and where it lies. */
import { BYTES_PER_ELEMENT } from '../../../core/dtype.js';
import type { Gpu } from '../../../device/cuda/gpu.js';
import { encodeTensorMaps, TENSOR_MAP_BYTES, type MappedMatrix } from '../../../device/cuda/tensor-map.js';
import { splitTokensFor } from '../../../ops/paged-attention/cuda.js';
import { rotationTable } from '../../../ops/rope/rotation.js';
import { SAMPLE_SLOT_BYTES } from '../../../ops/sample/cuda.js';
import { planBuffers } from '../../../plan/buffers.js';
import { kvVectorBytes } from '../../../plan/kv-dtype.js';
import type { InferredPlan, PlanValue } from '../../../plan/infer.js';
import type { BufferName, Plan } from '../../../plan/plan.js';
import { kvBytesPerToken, planKvBlocks } from '../memory-plan.js';
import { MATMUL_ROW_STEP, weightMapKey, xMapKey, type ProgramMemory } from './program.js';
import type { CudaExecutorOptions, CudaExecutorLimits } from './cuda-executor.js';

const ACTIVATION_BYTES = 2;
const X_MAP_ROWS = 64;
export const MATMUL_WORKSPACE_BYTES = 64 << 20;
const WEIGHT_BOX_ROWS = 16;

export interface ExecutorMemory extends ProgramMemory {
  readonly limits: CudaExecutorLimits;
  readonly workspaceBytes: number;
  readonly kvBase: number;
  readonly blockBytes: number;
  readonly descriptor: number;
  readonly descriptorBytes: number;
  readonly outBytes: number;
  readonly maxTopCount: number;
  readonly matmulWorkspace: number;
}

/** Most log probabilities a token can report. */
const MAX_TOP_COUNT = 32;

export function allocateMemory(
  { plan, gpu, tensorAddress, limits, kv }: CudaExecutorOptions,
  inferred: InferredPlan,
): ExecutorMemory {
  const before = gpu.memoryInfo().freeBytes;
  const roundRows = (rows: number): number => Math.ceil(rows / MATMUL_ROW_STEP) * MATMUL_ROW_STEP;
  const maxLogits = roundRows(limits.maxLogits);
  const sizes = { maxTokens: roundRows(limits.maxStepTokens), maxLogits, activationBytes: ACTIVATION_BYTES };
  const stretched = stretchGated(plan, inferred);
  const layout = planBuffers({ ...inferred, values: [...stretched.values()] }, sizes);
  const { vocabulary, headDim, headCount, kvHeadCount } = plan.dims;
  const splitTokens = splitTokensFor(gpu.properties, headCount / kvHeadCount, limits.blockTokens);
  const maxItems = limits.maxRows * Math.ceil(limits.maxSequenceTokens / splitTokens);
  const zeroed = (byteLength: number, purpose: string): number => {
    const address = gpu.allocate(byteLength, purpose);
    gpu.driver.call('cuMemsetD8Async', address, 0, byteLength, 0);
    return address;
  };

  // Tensor maps of x cover 64 rows, also of the last buffer: the slack keeps them inside.
  const widest = Math.max(...inferred.values.map((value) => value.columns));
  const workspace = zeroed(layout.totalBytes + X_MAP_ROWS * widest * ACTIVATION_BYTES, 'the workspace');
  const buffer = (opIndex: number, name: BufferName): number =>
    workspace + layout.offsets.get(stretched.get(inferred.operands[opIndex]!.get(name)!)!)!;
  const maps = createTensorMaps(gpu, mappedMatrices(plan, buffer, tensorAddress));
  const rope = plan.ops.find((op) => op.kind === 'ropeAppend')!.rope;
  const table = rotationTable(rope, headDim, { positionCount: limits.maxSequenceTokens });
  const uploaded = (values: Float32Array, purpose: string): number => {
    const address = gpu.allocate(values.byteLength, purpose);
    gpu.upload(address, values);
    return address;
  };
  const outWords = maxLogits * (2 + 2 * MAX_TOP_COUNT);
  const outTokens = gpu.allocate(outWords * 4, 'results');
  const maxBlocks = Math.ceil(limits.maxSequenceTokens / limits.blockTokens);
  const descriptorBytes =
    4 * (3 * limits.maxStepTokens + limits.maxRows * (8 + maxBlocks) + 6 * maxLogits + 2 * maxItems + 1024);
  const largestInt8 = Math.max(
    0,
    ...Object.values(plan.weights).map(({ shape, format }) =>
      format.type === 'int8' ? shape[0]! * shape[1]! : 0,
    ),
  );
  const fixed = {
    partials: gpu.allocate(maxItems * headCount * (headDim + 2) * 4, 'attention partial sums'),
    arrivals: zeroed(limits.maxRows * kvHeadCount * 4, 'attention counters'),
    slots: gpu.allocate(limits.maxRows * SAMPLE_SLOT_BYTES, 'sampling parameters'),
    lastTokens: zeroed(limits.maxRows * 4, 'last tokens'),
    history: gpu.allocate(limits.maxRows * limits.maxSequenceTokens * 4, 'token history'),
    sampleWork: gpu.allocate(maxLogits * vocabulary * 4, 'sampling'),
    sampleCounts: zeroed(maxLogits * vocabulary * 4, 'sampling'),
    denseWeight: largestInt8 === 0 ? 0 : gpu.allocate(largestInt8 * ACTIVATION_BYTES, 'dense weights'),
    cosTable: uploaded(table.cos, 'rotary tables'),
    sinTable: uploaded(table.sin, 'rotary tables'),
    descriptor: gpu.allocate(descriptorBytes, 'the step descriptor'),
    matmulWorkspace: gpu.allocate(MATMUL_WORKSPACE_BYTES, 'cuBLASLt'),
  };

  const bytesPerToken = kvBytesPerToken(plan.dims, plan.kvDtype);
  const { freeBytes } = gpu.memoryInfo();
  const blockCount = planKvBlocks({
    blockTokens: limits.blockTokens,
    bytesPerToken,
    freeBytes: Math.min(freeBytes, (kv.maxTotalBytes ?? Infinity) - kv.weightBytes - (before - freeBytes)),
    freeFraction: kv.freeFraction,
    maxKvTokens: kv.maxTokens,
    usefulTokens: limits.maxRows * (limits.maxSequenceTokens + limits.blockTokens),
  });
  const blockBytes = bytesPerToken * limits.blockTokens;
  const kvBase = zeroed(blockCount * blockBytes, 'the KV cache');
  gpu.synchronize();
  const layerBytes = blockBytes / plan.dims.layerCount;
  return {
    ...fixed,
    buffer,
    tensor: tensorAddress,
    tensorMap: (key) => maps.get(key)!,
    cacheLayer: (layer) => kvBase + layer * layerBytes,
    blockStride: blockBytes / BYTES_PER_ELEMENT[plan.kvDtype],
    headBlockBytes: 2 * limits.blockTokens * kvVectorBytes(plan.kvDtype, headDim),
    outTokens,
    outLogprobs: outTokens + maxLogits * 4,
    outTopIds: outTokens + maxLogits * 8,
    outTopLogprobs: outTokens + maxLogits * (8 + 4 * MAX_TOP_COUNT),
    limits: { ...limits, blockCount },
    workspaceBytes: before - freeBytes,
    kvBase,
    blockBytes,
    descriptorBytes,
    outBytes: outWords * 4,
    maxTopCount: MAX_TOP_COUNT,
  };
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

/** Maps of every dense weight and of every input of a linear layer, for each number of token groups. */
function mappedMatrices(
  plan: Plan,
  buffer: (opIndex: number, name: BufferName) => number,
  tensorAddress: (name: string) => number,
): ReadonlyMap<string, MappedMatrix> {
  const dtype = plan.activationDtype === 'bf16' ? 'bf16' : 'f16';
  const matrices = new Map<string, MappedMatrix>();
  for (const [index, op] of plan.ops.entries()) {
    if (op.kind !== 'linear') continue;
    const { shape, format } = plan.weights[op.weight]!;
    const [rows, columns] = [shape[0]!, shape[1]!];
    const address = buffer(index, op.x);
    for (const boxRows of [8, 16, 32, 64])
      matrices.set(xMapKey(address, columns, boxRows), {
        address,
        rows: X_MAP_ROWS,
        columns,
        boxRows,
        dtype,
      });
    if (format.type === 'dense')
      matrices.set(weightMapKey(op.weight), {
        ...{ address: tensorAddress(op.weight), rows, columns, boxRows: WEIGHT_BOX_ROWS, dtype },
      });
  }
  return matrices;
}

function createTensorMaps(
  gpu: Gpu,
  matrices: ReadonlyMap<string, MappedMatrix>,
): ReadonlyMap<string, number> {
  if (gpu.properties.computeCapability < 90) return new Map();
  const encoded = encodeTensorMaps(gpu.driver, [...matrices.values()]);
  const address = gpu.allocate(encoded.byteLength, 'tensor maps');
  gpu.upload(address, encoded);
  return new Map([...matrices.keys()].map((key, index) => [key, address + index * TENSOR_MAP_BYTES]));
}
