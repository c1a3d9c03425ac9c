/** The state of all batchers at one moment. */
import type { LiveEngine, LiveRank, LiveRequest, LiveSnapshot } from '../../protocol/live.js';
import type { MemoryUse } from '../engine/engine-loader.js';
import type { ActiveRequest } from '../generation/active-requests.js';
import type { EngineStats } from './engine-stats.js';
import type { ServerHealth } from './health.js';
import type { ServerMetrics } from './server-metrics.js';

/** More rows than a page can show. */
const MAX_REQUESTS = 128;

/** Parts of the server that the snapshot shows. */
export interface LiveSources {
  readonly metrics: ServerMetrics;
  readonly health: ServerHealth;
}

export function liveSnapshot({ metrics, health }: LiveSources): LiveSnapshot {
  const timeMs = performance.now();
  const engines = metrics.engines().map((stats) => liveEngine(stats, timeMs));
  return { timeMs, notReady: health.notReadyReason() ?? null, engines };
}

function liveEngine(
  { engine, latest, generatedTokenCount, preemptionCount }: EngineStats,
  nowMs: number,
): LiveEngine {
  const requests = [...engine.active.values()]
    .slice(0, MAX_REQUESTS)
    .map((request) => liveRequest(request, nowMs));
  return {
    model: engine.name,
    slotCount: engine.loaded.maxSequenceCount,
    runningCount: latest.runningCount,
    waitingCount: latest.waitingCount,
    waitReason: latest.waitReason ?? null,
    decodeRowCount: latest.decodeRowCount,
    prefillRowCount: latest.prefillRowCount,
    totalBlockCount: latest.totalBlockCount,
    freeBlockCount: latest.freeBlockCount,
    cachedBlockCount: latest.cachedBlockCount,
    blockTokens: engine.loaded.blockTokens,
    generatedTokens: generatedTokenCount,
    stepId: latest.stepId,
    deviceMs: latest.deviceMs,
    hostMs: latest.hostMs,
    preemptionCount,
    ranks: liveRanks(engine.loaded.memory),
    requests,
  };
}

function liveRanks(memory: readonly MemoryUse[]): LiveRank[] {
  const ranks = [...new Set(memory.map(({ rank }) => rank))];
  return ranks.map((rank) => {
    const ofRank = memory.filter((use) => use.rank === rank);
    const { kind, deviceId } = ofRank[0]!; // weights, on the device that runs the rank
    return {
      rank,
      device: kind === 'gpu' ? `gpu ${deviceId}` : 'cpu',
      memory: ofRank.map(({ purpose, bytes }) => ({ purpose, bytes })),
    };
  });
}

function liveRequest(request: ActiveRequest, nowMs: number): LiveRequest {
  const { firstTokenMs, startedMs } = request;
  return {
    id: request.id.slice(0, 8),
    state: firstTokenMs === undefined ? 'waiting' : 'running',
    promptTokens: request.promptTokenCount,
    outputTokens: request.outputTokenCount,
    maxOutputTokens: request.maxOutputTokenCount ?? null,
    ageMs: nowMs - startedMs,
    timeToFirstTokenMs: firstTokenMs === undefined ? null : firstTokenMs - startedMs,
  };
}
