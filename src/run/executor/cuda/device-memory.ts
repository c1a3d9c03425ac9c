/** Everything that a CUDA executor keeps in device memory, and where it lies. */
import { BYTES_PER_ELEMENT } from '../../../core/dtype.js';
import type { Gpu } from '../../../device/cuda/gpu.js';
import { createTensorMapEncoder } from '../../../device/cuda/tensor-map.js';
import { type AreaName, AREAS, areaRecord, resultParts } from '../../../ops/cuda/areas.js';
import type { LoweredPlan } from '../../../ops/cuda/lower.js';
import type { CudaMemory } from '../../../ops/cuda/scope.js';
import { rotationTable } from '../../../ops/rope/rotation.js';
import { kvVectorBytes } from '../../../plan/kv-dtype.js';
import { planKvBlocks } from '../opening/memory-plan.js';
import type { CudaExecutorOptions, CudaExecutorLimits } from './cuda-executor-options.js';
import { cudaKvDemand } from './cuda-sizing.js';
import { sizeCuda } from './memory-sizes.js';

export interface ExecutorMemory extends CudaMemory {
  readonly limits: CudaExecutorLimits;
  readonly workspaceBytes: number;
  readonly blockBytes: number;
  readonly descriptorBytes: number;
  readonly outBytes: number;
  readonly maskBytes: number;
  readonly matmulWorkspaceBytes: number;
}

export function allocateMemory(
  { plan, gpu, tensorAddress, limits, kv }: CudaExecutorOptions,
  lowered: LoweredPlan,
): ExecutorMemory {
  const before = gpu.memoryInfo().freeBytes;
  const { bytes, offset, rows, maxLogits } = sizeCuda(lowered, limits, gpu.properties);
  const areas = allocateAreas(gpu, bytes);
  uploadRotations(gpu, lowered, { ...areas, positionCount: limits.maxSequenceTokens });

  const { freeBytes } = gpu.memoryInfo();
  const demand = cudaKvDemand({ plan, limits, kv }, freeBytes, before - freeBytes);
  const blockCount = planKvBlocks(demand);
  const blockBytes = demand.bytesPerToken * limits.blockTokens;
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
    workspaceBytes: before - freeBytes,
    blockBytes,
    descriptorBytes: bytes.descriptor,
    matmulWorkspaceBytes: bytes.matmulWorkspace,
    outBytes: bytes.results,
    maskBytes: bytes.tokenMasks,
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

/** Fills the rotary tables; all layers share them. */
function uploadRotations(
  gpu: Gpu,
  { plan, ops }: LoweredPlan,
  at: { readonly cosTable: number; readonly sinTable: number; readonly positionCount: number },
): void {
  const { rope } = ops.find((op) => op.kind === 'attention')!.append;
  const table = rotationTable(rope, plan.dims.headDim, { positionCount: at.positionCount });
  gpu.upload(at.cosTable, table.cos);
  gpu.upload(at.sinTable, table.sin);
}
