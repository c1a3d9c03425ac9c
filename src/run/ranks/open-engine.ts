/** Opens an engine on one rank or several. The engine thread loads this module (see ExecutorModule). */
import { requireOwnOptions } from '../../core/device-options.js';
import { readManifest } from '../../engine/manifest.js';
import { present } from '../../core/present.js';
import type { Executor } from '../executor/executor.js';
import { openExecutor as openOneRank } from '../executor/open-executor.js';
import type { OpenExecutorOptions } from '../executor/opening/open-options.js';
import { warmedUp } from '../executor/warm-up.js';

const RANK_URL = new URL('../executor/prepare-rank.js', import.meta.url).href;

/**
 * @param onWeightBytes receives the bytes of weights that are in their place so far; where several ranks load side by side, as if
 *   all were as far as the first
 * @throws {AloftError} of the engine reader and of the device's executor, USAGE for an option of another kind of device,
 *   WORLD_SIZE_MISMATCH, UNSUPPORTED, RANK_DIED
 */
export async function openExecutor(
  options: OpenExecutorOptions,
  onWeightBytes: (bytes: number) => void = () => {},
): Promise<Executor> {
  const { aloft, builder_config: build } = readManifest(options.engineDirectory);
  requireOwnOptions(options, { device: aloft.device, engine: `the one in ${options.engineDirectory}` });
  const { tensor_parallel: engineRanks } = build;
  const { place, worldSize = place?.worldSize ?? engineRanks, profile, ...others } = options;
  // The reader of engines refuses a number that is not the engine's, before any process is started.
  if (worldSize === 1 || worldSize !== engineRanks)
    return openOneRank({ ...options, worldSize, onWeightBytes });
  const { openRanks } = await import('./open-ranks.js');
  const executor = await openRanks({
    worldSize,
    rankUrl: RANK_URL,
    rankOptions: { ...others, useGraphs: profile === undefined && options.useGraphs !== false },
    leaderOptions: { ...options, onWeightBytes: (bytes: number) => onWeightBytes(bytes * worldSize) },
    isProfiled: profile !== undefined,
    ...present({ place }),
  });
  return options.warmup === true ? warmedUp(executor) : executor;
}
