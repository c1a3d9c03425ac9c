/** The pipeline from a checkpoint to an engine directory, one weight at a time and all ranks in one pass. */
import { setImmediate } from 'node:timers/promises';
import { AloftError } from '../core/errors.js';
import type { Log } from '../core/log.js';
import { createEngine } from '../engine/engine-writer.js';
import { KERNEL_TENSOR_PREFIX } from '../engine/format.js';
import type { NamedTensorSpec } from '../engine/safetensors.js';
import { startingTimingCache } from '../engine/timing-cache.js';
import type { WeightName } from '../plan/plan.js';
import type { BuildOptions, BuildTarget, KernelPackage } from './build-options.js';
import { type BuildReport, BuildTally } from './build-report.js';
import { buildWarnings, cacheWarnings, checkCodes, checkTensors } from './check-checkpoint.js';
import type { Checkpoint } from './checkpoint/checkpoint.js';
import type { ModelConfig } from './checkpoint/model-config.js';
import { draftManifest } from './manifest-draft.js';
import { definePlans } from './plans.js';
import { WeightPacker } from './weight-packer.js';
import { checkFormats } from '../device/weight-layout.js';

export interface BuildProgress {
  readonly weight: WeightName;
  /** Layers that are complete. */
  readonly layersDone: number;
  readonly layerCount: number;
}

export interface BuildHooks {
  readonly log: Log;
  onProgress(progress: BuildProgress): void;
  /** Stops between two weights; nothing is left behind. */
  readonly signal?: AbortSignal;
}

/** @throws {AloftError} for every fault of the checkpoint or the options; the output directory is then as it was before */
export async function buildEngine(
  checkpoint: Checkpoint,
  target: BuildTarget,
  options: BuildOptions,
  hooks: BuildHooks,
): Promise<BuildReport> {
  const tally = new BuildTally();
  const defined = definePlans(checkpoint.config, options);
  const { model, config, quantisation, definition, published, ranks: plans } = defined;
  checkFormats(plans[0]!, target.layout);
  checkTensors(checkpoint, definition);
  checkCodes(checkpoint, defined);
  const startingCache = startingTimingCache(target.deviceName, options.timingCachePath, hooks.log);
  const warnings = [
    ...buildWarnings(checkpoint, published, options),
    ...cacheWarnings(target.layout.device, options),
  ];
  for (const warning of warnings) hooks.log.warning(warning);
  const { generation, pooling } = checkpoint;
  const subject = { modelName: model.name, config, quantisation, generation, pooling };
  const packer = new WeightPacker(checkpoint.tensors, target.layout, plans);
  const request = { plan: plans[0]!, limits: options.limits, timingCache: startingCache, log: hooks.log };
  const kernels = target.buildKernels?.(request) ?? NO_KERNELS;
  const { timingCache = startingCache } = kernels;
  const writer = createEngine(
    { path: options.outputDirectory, replace: options.replace },
    draftManifest(subject, target, options),
    plans.map((plan, rank) => ({
      plan,
      kernelFacts: kernels.facts,
      tensors: [...packer.specs(rank), ...Array.from(kernels.units, kernelSpec)],
    })),
  );
  try {
    for (const weight of packer.weights) {
      packer.pack(weight, writer, tally);
      hooks.onProgress({ weight, layersDone: layersBefore(weight, config), layerCount: config.layerCount });
      await setImmediate(); // lets signals and the progress bar in
      hooks.signal?.throwIfAborted();
    }
    for (const rank of plans.keys())
      for (const [unit, code] of kernels.units) writer.write(rank, KERNEL_TENSOR_PREFIX + unit, code);
    requireWhole(checkpoint);
    const { origin, tokenizerDirectory = origin, tokenizerFiles } = checkpoint;
    const manifest = writer.commit({ tokenizerDirectory, tokenizerFiles, timingCache });
    return tally.finish(options.outputDirectory, manifest);
  } catch (fault) {
    writer.discard();
    throw fault;
  }
}

/** @throws {AloftError} CHECKPOINT_CORRUPT when weights were read as zeros */
function requireWhole({ origin, tensors }: Checkpoint): void {
  if ((tensors.lostPages?.() ?? 0) === 0) return;
  throw new AloftError(
    'CHECKPOINT_CORRUPT',
    `A file of ${origin} became shorter while it was read. Download it again.`,
  );
}

const NO_KERNELS: Omit<KernelPackage, 'timingCache'> & Partial<KernelPackage> = {
  units: new Map(),
  facts: undefined,
};

function kernelSpec([unit, code]: readonly [string, Uint8Array]): NamedTensorSpec {
  return { name: KERNEL_TENSOR_PREFIX + unit, dtype: 'u8', shape: [code.length] };
}

/** Layers that are complete once `weight` is written; weights come in the order of the layers. */
function layersBefore(weight: WeightName, { layerCount }: ModelConfig): number {
  const match = /^layers\.(\d+)\.(mlp\.(?:experts\.)?proj)?/.exec(weight);
  if (match === null) return weight.startsWith('vocab_embedding.') ? 0 : layerCount;
  return Number(match[1]) + (match[2] === undefined ? 0 : 1);
}
