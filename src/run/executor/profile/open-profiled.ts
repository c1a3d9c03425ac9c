/** Opens an engine so that every call of its steps is timed, and measures what its device can do. */
import { inferPlan } from '../../../plan/infer.js';
import { readManifest } from '../../../engine/manifest.js';
import type { DeviceRates } from '../opening/backend.js';
import { loadBackend } from '../backends.js';
import type { Executor } from '../executor.js';
import type { OpenExecutorOptions } from '../opening/open-options.js';
import { openRank } from '../opening/open-rank.js';
import type { CostModel } from './op-cost.js';
import type { CallListener } from '../opening/timed-call.js';

export interface ProfiledEngine {
  readonly executor: Executor;
  readonly rates: DeviceRates;
  readonly model: CostModel;
}

/**
 * @param open of one rank or several; the calls of rank 0 are timed
 * @throws {AloftError} as `open` does
 */
export async function openProfiled(
  options: OpenExecutorOptions,
  listener: CallListener,
  open: (options: OpenExecutorOptions) => Promise<Executor>,
): Promise<ProfiledEngine> {
  const { builder_config: build } = readManifest(options.engineDirectory);
  const engine = openRank({ worldSize: build.tensor_parallel, ...options });
  try {
    const { plan } = engine;
    const backend = await loadBackend(engine.manifest.aloft.device);
    const rates = backend.measureRates(engine, options);
    const executor = await open({ ...options, profile: listener });
    const { layerCount, kvHeadCount, headDim } = plan.dims;
    const cache = executor.memory.kvBytesPerToken / (2 * layerCount * kvHeadCount * headDim);
    return {
      executor,
      rates,
      model: { plan, inferred: inferPlan(plan), bytes: { activation: backend.activationBytes, cache } },
    };
  } finally {
    engine.dispose();
  }
}
