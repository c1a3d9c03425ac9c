/** Bytes that a build writes and a load takes, known from a model's configuration before its weights are there. */
import { readModelConfig } from '../../builder/checkpoint/open.js';
import type { GivenFlags } from '../../builder/flag-reader.js';
import { resolveBuildOptions } from '../../builder/resolve-options.js';
import { AloftError } from '../../core/errors.js';
import { DEVICES } from '../../device/device.js';
import { kvBytesPerToken } from '../../run/executor/opening/memory-plan.js';
import { dryBuild } from '../memory/dry-run.js';
import { automaticDevice } from './build-target.js';
import { formatBytes } from './terminal.js';

export interface BuildForecast {
  readonly engineBytes: number;
  /** Words about the engine. */
  readonly build: string;
  /** Words about the memory that it takes. */
  readonly load: string;
  /** @throws {AloftError} OUT_OF_MEMORY when the weights do not fit */
  requireMemory(): void;
}

/** @param flags those of a build for the device that is chosen automatically @throws {AloftError} as the build */
export function forecastBuild(checkpoint: string, flags: GivenFlags): BuildForecast {
  const { options } = resolveBuildOptions(flags);
  const { device } = automaticDevice((name) => DEVICES[name].survey({}), options.precision);
  const { plan, weightBytes } = dryBuild(readModelConfig(checkpoint), options, {
    device,
    architecture: null,
  });
  const { memoryBytes } = DEVICES[device].survey({});
  const { maxBatchSize, maxInputTokens, maxOutputTokens } = options.limits;
  const sequenceTokens = maxInputTokens + maxOutputTokens;
  const cacheBytes = kvBytesPerToken(plan.dims, plan.kvDtype) * maxBatchSize * sequenceTokens;
  return {
    engineBytes: weightBytes,
    build: `an engine of ${formatBytes(weightBytes)} for ${device}, ${options.precision}`,
    load: `${formatBytes(weightBytes)} of weights, up to ${formatBytes(cacheBytes)} of KV cache (${maxBatchSize} sequences of ${sequenceTokens} tokens); ${formatBytes(memoryBytes)} are free`,
    requireMemory() {
      if (weightBytes <= memoryBytes) return;
      throw new AloftError(
        'OUT_OF_MEMORY',
        `The weights of ${checkpoint} need ${formatBytes(weightBytes)}, but ${formatBytes(memoryBytes)} are free; choose a smaller model, or build it with aloft build --use_weight_only.`,
      );
    },
  };
}
