/** Follows the steps of one engine: the newest values, sums, and rates for the live view. */
import type { StepStats } from '../../core/batcher-stats.js';
import type { RunningEngine } from '../generation/running-engine.js';

export class EngineStats {
  readonly engine: RunningEngine;
  latest: StepStats;
  stepCount = 0;
  generatedTokenCount = 0;
  prefillTokenCount = 0;
  prefixHitTokenCount = 0;
  preemptionCount = 0;
  /** Steps in which the first waiting request waited, by reason. */
  readonly waitSteps: Record<'blocks' | 'slots' | 'tokens', number> = { blocks: 0, slots: 0, tokens: 0 };
  readonly #listeners = new Set<(stats: StepStats) => void>();
  readonly #unsubscribe: () => void;

  constructor(engine: RunningEngine) {
    this.engine = engine;
    this.latest = untouched(engine.loaded.kvBlockCount);
    this.#unsubscribe = engine.loaded.subscribe((stats) => this.#take(stats));
    // Its requests have failed: nothing runs or waits any more.
    engine.loaded.onFailure(() => (this.latest = untouched(engine.loaded.kvBlockCount)));
  }

  onStep(listener: (stats: StepStats) => void): void {
    this.#listeners.add(listener);
  }

  close(): void {
    this.#unsubscribe();
  }

  #take(stats: StepStats): void {
    this.latest = stats;
    if (stats.tokenCount === 0) return;
    this.stepCount++;
    this.generatedTokenCount += stats.outputTokenCount;
    this.prefillTokenCount += stats.tokenCount - stats.decodeRowCount;
    this.prefixHitTokenCount += stats.prefixHitTokens;
    this.preemptionCount += stats.preemptionCount;
    if (stats.waitReason !== undefined) this.waitSteps[stats.waitReason]++;
    for (const listener of this.#listeners) listener(stats);
  }
}

/** The state of an engine before its first report, and after its end. */
function untouched(blockCount: number): StepStats {
  return {
    type: 'step',
    stepId: 0,
    timeMs: 0,
    decodeRowCount: 0,
    prefillRowCount: 0,
    tokenCount: 0,
    outputTokenCount: 0,
    hostMs: 0,
    deviceMs: 0,
    idleMs: 0,
    prefixHitTokens: 0,
    preemptionCount: 0,
    waitingCount: 0,
    runningCount: 0,
    freeBlockCount: blockCount,
    cachedBlockCount: 0,
    totalBlockCount: blockCount,
    waitReason: undefined,
  };
}

/** The followers of all loaded engines; engines come and go. */
export class EngineStatsBook {
  readonly #byEngine = new Map<RunningEngine, EngineStats>();
  readonly #onNew: (stats: EngineStats) => void;

  /** @param onNew Called once for each engine when it is first seen. */
  constructor(onNew: (stats: EngineStats) => void) {
    this.#onNew = onNew;
  }

  /** Follows exactly these engines from now on. */
  follow(engines: readonly RunningEngine[]): void {
    for (const [engine, stats] of this.#byEngine) {
      if (engines.includes(engine)) continue;
      stats.close();
      this.#byEngine.delete(engine);
    }
    for (const engine of engines) {
      if (this.#byEngine.has(engine)) continue;
      const stats = new EngineStats(engine);
      this.#byEngine.set(engine, stats);
      this.#onNew(stats);
    }
  }

  values(): readonly EngineStats[] {
    return [...this.#byEngine.values()];
  }
}
