/** The memory of an engine without loading it, or without building it: arithmetic over shapes. */
import type { BuildOptions } from '../../builder/build-options.js';
import type { ModelConfig } from '../../builder/checkpoint/model-config.js';
import { MODEL_PARTS, partOf } from '../../builder/model-parts.js';
import { definePlans } from '../../builder/plans.js';
import { tensorBytes } from '../../core/dtype.js';
import { AloftError } from '../../core/errors.js';
import { CPU_LAYOUT_VERSION, cpuSpecs } from '../../device/cpu/cpu-weight-layout.js';
import { parseArchitecture } from '../../device/cuda/architecture.js';
import { checkCudaPlan } from '../../ops/cuda/check-plan.js';
import { CUDA_LAYOUT_VERSION, cudaSpecs } from '../../device/cuda/cuda-weight-layout.js';
import { KERNEL_TENSOR_PREFIX } from '../../engine/format.js';
import { readManifest } from '../../engine/manifest.js';
import { openEngineRank } from '../../engine/rank-file-reader.js';
import type { CudaTarget } from '../../ops/cuda/capability.js';
import type { Plan } from '../../plan/plan.js';
import { weightRoles } from '../../plan/validate.js';
import { sizeCpu } from '../../run/executor/cpu/cpu-sizing.js';
import { sizeCudaEngine } from '../../run/executor/cuda/cuda-sizing.js';
import { planKvBlocks } from '../../run/executor/memory-plan.js';
import { type EngineShape, shapeOf, type SizingOptions } from '../../run/executor/sizing.js';
import type { MemoryView } from './memory-view.js';

/** An engine's shape with its bytes by part. */
export interface DryEngine extends EngineShape {
  readonly parts: MemoryView['parts'];
  /** The GPU that it is for; undefined for a CPU. */
  readonly gpu: CudaTarget | undefined;
}

interface NamedBytes {
  readonly name: string;
  readonly bytes: number;
}

/** An engine on disk; a sample of its weights is read to verify them. @throws {AloftError} of the engine reader */
export function dryEngine(directory: string): DryEngine {
  const { device, device_architecture: architecture } = readManifest(directory).aloft;
  const layoutVersion = device === 'cuda' ? CUDA_LAYOUT_VERSION : CPU_LAYOUT_VERSION;
  const engine = openEngineRank(directory, {
    rank: 0,
    worldSize: 1,
    device,
    layoutVersion,
    verification: 'sample',
  });
  try {
    const tensors = engine.tensorNames
      .filter((name) => !name.startsWith(KERNEL_TENSOR_PREFIX))
      .map((name) => ({ name, bytes: engine.tensor(name).byteLength }));
    const gpu = architecture === null ? undefined : parseArchitecture(architecture);
    return { ...shapeOf(engine), parts: sumParts(tensors), gpu };
  } finally {
    engine.dispose();
  }
}

/** What `aloft build` would make: rank 0, for this kind of CPU or a GPU. @throws {AloftError} as {@link definePlans}, UNSUPPORTED */
export function dryBuild(config: ModelConfig, options: BuildOptions, gpu?: CudaTarget): DryEngine {
  const plan = definePlans(config, options).ranks[0]!;
  const { limits } = options;
  if (gpu !== undefined) checkCudaPlan(plan, limits.maxInputTokens);
  const parts = sumParts(packedTensors(plan, gpu === undefined ? cpuSpecs : cudaSpecs));
  return {
    plan,
    parts,
    gpu,
    weightBytes: parts.reduce((sum, { bytes }) => sum + bytes, 0),
    limits: {
      max_batch_size: limits.maxBatchSize,
      max_input_len: limits.maxInputTokens,
      max_output_len: limits.maxOutputTokens,
      max_num_tokens: limits.maxStepTokens,
      tokens_per_block: limits.blockTokens,
    },
  };
}

function packedTensors(plan: Plan, specs: typeof cpuSpecs): NamedBytes[] {
  return Array.from(weightRoles(plan)).flatMap(([weight, role]) =>
    specs(weight, plan.weights[weight]!, role).map(({ name, dtype, shape }) => ({
      name,
      bytes: tensorBytes(dtype, shape),
    })),
  );
}

function sumParts(tensors: readonly NamedBytes[]): MemoryView['parts'] {
  return MODEL_PARTS.map((part) => ({
    part,
    bytes: tensors.reduce((sum, { name, bytes }) => sum + (partOf(name) === part ? bytes : 0), 0),
  }));
}

/** The budget when `availableBytes` are free before loading. @throws {AloftError} CONFIG_INVALID */
export function dryBudget(engine: DryEngine, options: SizingOptions, availableBytes: number): MemoryView {
  const { gpu: target } = engine;
  const { limits, workspaceBytes, demand } =
    target === undefined
      ? sizeCpu(engine, options, availableBytes)
      : sizeCudaEngine(engine, options, { availableBytes, target });
  return {
    ...limits,
    parts: engine.parts,
    weightBytes: engine.weightBytes,
    workspaceBytes,
    kvBytesPerToken: demand.bytesPerToken,
    blockCount: blocksOrNone(demand),
    maxKvTokens: demand.maxKvTokens,
    free: { bytes: demand.freeBytes, fraction: demand.freeFraction },
  };
}

function blocksOrNone(demand: Parameters<typeof planKvBlocks>[0]): number {
  try {
    return planKvBlocks(demand);
  } catch (fault) {
    if (fault instanceof AloftError && fault.code === 'OUT_OF_MEMORY') return 0;
    throw fault;
  }
}
