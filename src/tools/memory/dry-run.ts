/** The memory of an engine without loading it, or without building it: arithmetic over shapes. */
import type { BuildOptions } from '../../builder/build-options.js';
import type { ModelConfig } from '../../builder/checkpoint/model-config.js';
import { MODEL_PARTS, partOf } from '../../builder/model-parts.js';
import { definePlans } from '../../builder/plans.js';
import type { DeviceName } from '../../core/device.js';
import { tensorBytes } from '../../core/dtype.js';
import type { OpeningOptions } from '../../core/engine-options.js';
import { AloftError } from '../../core/errors.js';
import { DEVICES } from '../../device/device.js';
import { checkFormats, type StoredLayout } from '../../device/weight-layout.js';
import { KERNEL_TENSOR_PREFIX } from '../../engine/format.js';
import { readManifest } from '../../engine/manifest.js';
import type { Plan } from '../../plan/plan.js';
import { weightRoles } from '../../plan/validate.js';
import { loadBackend } from '../../run/executor/backends.js';
import { planKvBlocks } from '../../run/executor/opening/memory-plan.js';
import { openRank } from '../../run/executor/opening/open-rank.js';
import { type EngineShape, shapeOf } from '../../run/executor/opening/sizing.js';
import type { MemoryView } from './memory-view.js';

/** The device that an engine is for. */
export interface DryTarget {
  readonly device: DeviceName;
  /** Architecture of the kernels, such as `sm_90a`; null where kernels come with Aloft. */
  readonly architecture: string | null;
}

/** An engine's shape with its bytes by part. */
export interface DryEngine extends EngineShape, DryTarget {
  readonly parts: MemoryView['parts'];
}

interface NamedBytes {
  readonly name: string;
  readonly bytes: number;
}

/** Rank 0 of an engine on disk; a sample of its weights is read to verify them. @throws {AloftError} of the engine reader */
export function dryEngine(directory: string): DryEngine {
  const { tensor_parallel: worldSize } = readManifest(directory).builder_config;
  const engine = openRank({ engineDirectory: directory, worldSize });
  try {
    const tensors = engine.tensorNames
      .filter((name) => !name.startsWith(KERNEL_TENSOR_PREFIX))
      .map((name) => ({ name, bytes: engine.tensor(name).byteLength }));
    const { device, device_architecture: architecture } = engine.manifest.aloft;
    return { ...shapeOf(engine), parts: sumParts(tensors), device, architecture };
  } finally {
    engine.dispose();
  }
}

/** The engine that `aloft build` would make: its first rank. @throws {AloftError} as {@link definePlans}, UNSUPPORTED */
export function dryBuild(config: ModelConfig, options: BuildOptions, target: DryTarget): DryEngine {
  const plan = definePlans(config, options).ranks[0]!;
  const { limits } = options;
  const device = DEVICES[target.device];
  checkFormats(plan, device.layout);
  device.checkPlan(plan, limits.maxInputTokens);
  const parts = sumParts(packedTensors(plan, device.layout));
  return {
    ...target,
    plan,
    parts,
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

function packedTensors(plan: Plan, layout: StoredLayout): NamedBytes[] {
  return Array.from(weightRoles(plan)).flatMap(([weight, role]) =>
    layout.specs(weight, plan.weights[weight]!, role).map(({ name, dtype, shape }) => ({
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
export async function dryBudget(
  engine: DryEngine,
  options: OpeningOptions,
  availableBytes: number,
): Promise<MemoryView> {
  const { device, architecture } = engine;
  const backend = await loadBackend(device);
  const { limits, workspaceBytes, demand } = backend.size(engine, options, { availableBytes, architecture });
  return {
    ...limits,
    parts: engine.parts,
    weightBytes: engine.weightBytes,
    workspaceBytes,
    kvBytesPerToken: demand.bytesPerToken,
    blockCount: blocksOrNone(demand),
    maxKvTokens: demand.maxKvTokens,
    free: { bytes: demand.freeBytes, fraction: demand.kvCacheFreeMemFraction },
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
