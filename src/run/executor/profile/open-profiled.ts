/** Opens an engine so that every call of its steps is timed, and measures what its device can do. */
import { inferPlan } from '../../../plan/infer.js';
import type { DeviceRates } from '../opening/backend.js';
import { loadBackend } from '../backends.js';
import type { Executor } from '../executor.js';
import { openExecutor } from '../open-executor.js';
import type { OpenExecutorOptions } from '../opening/open-options.js';
import { openRank } from '../opening/open-rank.js';
import type { CostModel } from './op-cost.js';
import type { CallListener } from '../opening/timed-call.js';

export interface ProfiledEngine {
  readonly executor: Executor;
  readonly rates: DeviceRates;
  readonly model: CostModel;
}

/** @throws {AloftError} as {@link openExecutor} does */
export async function openProfiled(
  options: OpenExecutorOptions,
  listener: CallListener,
): Promise<ProfiledEngine> {
  const engine = openRank(options);
  try {
    const { plan } = engine;
    const backend = await loadBackend(engine.manifest.aloft.device);
    const rates = backend.measureRates(engine, options);
    const executor = await openExecutor({ ...options, profile: listener });
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
