/** Everything that a CUDA executor keeps in device memory, and where it lies. */
import { BYTES_PER_ELEMENT } from '../../../core/dtype.js';
import type { Gpu } from '../../../device/cuda/gpu.js';
import { createTensorMapEncoder } from '../../../device/cuda/tensor-map.js';
import { type AreaName, AREAS, areaRecord, resultParts } from '../../../ops/cuda/areas.js';
import type { LoweredPlan } from '../../../ops/cuda/lower.js';
import type { CudaMemory } from '../../../ops/cuda/scope.js';
import { distinctRopes, rotationOffset } from '../../../ops/rope/cuda-tables.js';
import { rotationTable } from '../../../ops/rope/rotation.js';
import { kvVectorBytes } from '../../../plan/kv-dtype.js';
import type { MemoryBudget } from '../executor.js';
import { kvBytesPerToken, planKvBlocks } from '../opening/memory-plan.js';
import type { CudaExecutorOptions, CudaExecutorLimits } from './cuda-executor-options.js';
import { cudaKvDemand } from './cuda-sizing.js';
import { type CudaSizes, sizeCuda } from './memory-sizes.js';

/** Areas of an executor without its cache, whose size ranks agree on when all have theirs. */
export interface ExecutorWorkspace {
  readonly areas: Readonly<Record<AreaName, number>>;
  readonly sizes: CudaSizes;
  readonly bytes: number;
  /** KV blocks that the memory that is left has room for. */
  readonly blockCount: number;
  readonly blockBytes: number;
}

export interface ExecutorMemory extends CudaMemory {
  readonly limits: CudaExecutorLimits;
  readonly workspaceBytes: number;
  readonly blockBytes: number;
  readonly descriptorBytes: number;
  readonly outBytes: number;
  readonly maskBytes: number;
  readonly matmulWorkspaceBytes: number;
}

/** @throws {AloftError} OUT_OF_MEMORY */
export function allocateWorkspace(options: CudaExecutorOptions, lowered: LoweredPlan): ExecutorWorkspace {
  const { gpu, limits } = options;
  const before = gpu.memoryInfo().freeBytes;
  const sizes = sizeCuda(lowered, limits, gpu.properties);
  const areas = allocateAreas(gpu, sizes.bytes);
  uploadRotations(gpu, lowered, { ...areas, positionCount: limits.maxSequenceTokens });
  const { freeBytes } = gpu.memoryInfo();
  const demand = cudaKvDemand(options, freeBytes, before - freeBytes);
  return {
    areas,
    sizes,
    bytes: before - freeBytes,
    blockCount: planKvBlocks(demand),
    blockBytes: demand.bytesPerToken * limits.blockTokens,
  };
}

/** Adds a cache of so many blocks. @throws {AloftError} OUT_OF_MEMORY */
export function withCache(
  { plan, gpu, tensorAddress, limits }: CudaExecutorOptions,
  { areas, sizes, bytes: workspaceBytes, blockBytes }: ExecutorWorkspace,
  blockCount: number,
): ExecutorMemory {
  const { bytes, offset, rows, maxLogits } = sizes;
  const kvBytes = blockCount * blockBytes;
  const kvBase = zeroed(gpu, kvBytes, 'the KV cache');
  gpu.synchronize();
  const layerBytes = blockBytes / plan.dims.layerCount;
  return {
    ...areas,
    ...resultParts(areas.results, maxLogits),
    valueAddress: (value) => areas.workspace + offset(value),
    valueRows: rows,
    tensor: tensorAddress,
    tensorMap: createTensorMapEncoder(gpu.driver),
    kvBase,
    kvBytes,
    cacheLayer: (layer) => kvBase + layer * layerBytes,
    blockStride: blockBytes / BYTES_PER_ELEMENT[plan.kvDtype],
    headBlockBytes: 2 * limits.blockTokens * kvVectorBytes(plan.kvDtype, plan.dims.headDim),
    limits: { ...limits, blockCount },
    workspaceBytes,
    blockBytes,
    descriptorBytes: bytes.descriptor,
    matmulWorkspaceBytes: bytes.matmulWorkspace,
    outBytes: bytes.results,
    maskBytes: bytes.tokenMasks,
  };
}

/** Where the memory went. */
export function budgetOf(
  { plan, gpu, kv }: CudaExecutorOptions,
  { workspaceBytes, limits, blockBytes }: ExecutorMemory,
  hostKvBytes: number,
): MemoryBudget {
  return {
    totalBytes: gpu.properties.totalBytes,
    weightBytes: kv.weightBytes,
    workspaceBytes,
    kvBytes: limits.blockCount * blockBytes,
    kvBytesPerToken: kvBytesPerToken(plan.dims, plan.kvDtype),
    hostKvBytes,
  };
}

/** Addresses of the areas; 0 for those of no bytes. */
function allocateAreas(
  gpu: Gpu,
  bytes: Readonly<Record<AreaName, number>>,
): Readonly<Record<AreaName, number>> {
  return areaRecord((name) => {
    const { purpose, isZeroed } = AREAS[name];
    if (bytes[name] === 0) return 0;
    return isZeroed ? zeroed(gpu, bytes[name], purpose) : gpu.allocate(bytes[name], purpose);
  });
}

function zeroed(gpu: Gpu, byteLength: number, purpose: string): number {
  const address = gpu.allocate(byteLength, purpose);
  gpu.driver.call('cuMemsetD8Async', address, 0, byteLength, 0);
  return address;
}

/** Fills the rotary tables. */
function uploadRotations(
  gpu: Gpu,
  { plan }: LoweredPlan,
  at: { readonly cosTable: number; readonly sinTable: number; readonly positionCount: number },
): void {
  const { positionCount } = at;
  for (const rope of distinctRopes(plan)) {
    const table = rotationTable(rope, plan.dims.headDim, { positionCount });
    const offset = rotationOffset(plan, rope, positionCount);
    gpu.upload(at.cosTable + offset, table.cos);
    gpu.upload(at.sinTable + offset, table.sin);
  }
}
