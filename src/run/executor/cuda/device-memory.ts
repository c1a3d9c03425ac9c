/** Everything that a CUDA executor keeps in device memory, and where it lies. */
import { BYTES_PER_ELEMENT } from '../../../core/dtype.js';
import type { Gpu } from '../../../device/cuda/gpu.js';
import { encodeTensorMaps, type MappedMatrix, type MappedTiles } from '../../../device/cuda/tensor-map.js';
import { hasBulkRings } from '../../../ops/cuda/capability.js';
import type { TensorMap } from '../../../ops/cuda/launch.js';
import { rotationTable } from '../../../ops/rope/rotation.js';
import { kvVectorBytes } from '../../../plan/kv-dtype.js';
import type { InferredPlan } from '../../../plan/infer.js';
import type { BufferName } from '../../../plan/plan.js';
import { planKvBlocks } from '../opening/memory-plan.js';
import { attentionMatrices } from './attention-maps.js';
import type { CudaExecutorOptions, CudaExecutorLimits } from './cuda-executor-options.js';
import { cudaKvDemand } from './cuda-sizing.js';
import { mappedMatrices, MAX_TOP_COUNT, sizeCuda } from './memory-sizes.js';
import type { ProgramMemory } from './op-context.js';

export interface ExecutorMemory extends ProgramMemory {
  readonly limits: CudaExecutorLimits;
  readonly workspaceBytes: number;
  readonly kvBase: number;
  readonly blockBytes: number;
  readonly descriptor: number;
  readonly descriptorBytes: number;
  readonly outBytes: number;
  readonly matmulWorkspace: number;
  readonly matmulWorkspaceBytes: number;
}

export function allocateMemory(
  { plan, gpu, tensorAddress, limits, kv }: CudaExecutorOptions,
  inferred: InferredPlan,
): ExecutorMemory {
  const before = gpu.memoryInfo().freeBytes;
  const { bytes, offset, rows, maxLogits } = sizeCuda({ plan, inferred }, limits, gpu.properties);
  const zeroed = (byteLength: number, purpose: string): number => {
    const address = gpu.allocate(byteLength, purpose);
    gpu.driver.call('cuMemsetD8Async', address, 0, byteLength, 0);
    return address;
  };

  const workspace = zeroed(bytes.workspace, 'the workspace');
  const buffer = (opIndex: number, name: BufferName): number => workspace + offset(opIndex, name);
  const rope = plan.ops.find((op) => op.kind === 'ropeAppend')!.rope;
  const table = rotationTable(rope, plan.dims.headDim, { positionCount: limits.maxSequenceTokens });
  const uploaded = (values: Float32Array, purpose: string): number => {
    const address = gpu.allocate(values.byteLength, purpose);
    gpu.upload(address, values);
    return address;
  };
  const outTokens = gpu.allocate(bytes.results, 'results');
  const fixed = {
    partials: gpu.allocate(bytes.partials, 'attention partial sums'),
    arrivals: zeroed(bytes.arrivals, 'attention counters'),
    slots: gpu.allocate(bytes.slots, 'sampling parameters'),
    lastTokens: zeroed(bytes.lastTokens, 'last tokens'),
    history: gpu.allocate(bytes.history, 'token history'),
    sampleWork: gpu.allocate(bytes.sampleWork, 'sampling'),
    sampleCounts: zeroed(bytes.sampleCounts, 'sampling'),
    denseWeight: bytes.denseWeight === 0 ? 0 : gpu.allocate(bytes.denseWeight, 'dense weights'),
    cosTable: uploaded(table.cos, 'rotary tables'),
    sinTable: uploaded(table.sin, 'rotary tables'),
    descriptor: gpu.allocate(bytes.descriptor, 'the step descriptor'),
    matmulWorkspace: gpu.allocate(bytes.matmulWorkspace, 'cuBLASLt'),
  };

  const { freeBytes } = gpu.memoryInfo();
  const demand = cudaKvDemand({ plan, limits, kv }, freeBytes, before - freeBytes);
  const blockCount = planKvBlocks(demand);
  const blockBytes = demand.bytesPerToken * limits.blockTokens;
  const kvBase = zeroed(blockCount * blockBytes, 'the KV cache');
  gpu.synchronize();
  const cache = { cacheBase: kvBase, cacheBytes: blockCount * blockBytes, blockTokens: limits.blockTokens };
  const { computeCapability } = gpu.properties;
  const maps = createTensorMaps(gpu, [
    ...mappedMatrices(plan, buffer, tensorAddress, rows),
    ...attentionMatrices(plan, computeCapability, { buffer, rows, ...cache }),
  ]);
  const layerBytes = blockBytes / plan.dims.layerCount;
  return {
    ...fixed,
    buffer,
    tensor: tensorAddress,
    tensorMap: (key) => maps.get(key)!,
    cacheLayer: (layer) => kvBase + layer * layerBytes,
    blockStride: blockBytes / BYTES_PER_ELEMENT[plan.kvDtype],
    headBlockBytes: 2 * limits.blockTokens * kvVectorBytes(plan.kvDtype, plan.dims.headDim),
    outTokens,
    outLogprobs: outTokens + maxLogits * 4,
    outTopIds: outTokens + maxLogits * 8,
    outTopLogprobs: outTokens + maxLogits * (8 + 4 * MAX_TOP_COUNT),
    limits: { ...limits, blockCount },
    workspaceBytes: before - freeBytes,
    kvBase,
    blockBytes,
    descriptorBytes: bytes.descriptor,
    matmulWorkspaceBytes: bytes.matmulWorkspace,
    outBytes: bytes.results,
  };
}

function createTensorMaps(
  gpu: Gpu,
  matrices: readonly (readonly [key: string, matrix: MappedMatrix | MappedTiles])[],
): ReadonlyMap<string, TensorMap> {
  if (!hasBulkRings(gpu.properties.computeCapability)) return new Map();
  const maps = encodeTensorMaps(
    gpu.driver,
    matrices.map(([, matrix]) => matrix),
  );
  return new Map(matrices.map(([key], index) => [key, maps[index]!]));
}
