/** The state of all batchers at one moment. */
import type { LiveEngine, LiveRequest, LiveSnapshot } from '../../protocol/live.js';
import type { ActiveRequest } from '../generation/active-requests.js';
import type { ServerContext } from '../server-context.js';
import type { EngineStats } from './engine-stats.js';

/** More rows than a page can show. */
const MAX_REQUESTS = 128;

export function liveSnapshot({ metrics, health }: ServerContext): LiveSnapshot {
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
  // The batcher sleeps when it has nothing to do, and its last step then still counts its rows.
  const isIdle = engine.active.count === 0;
  return {
    model: engine.name,
    slotCount: engine.loaded.maxRunningRequestCount,
    runningCount: isIdle ? 0 : (latest?.runningCount ?? 0),
    waitingCount: isIdle ? 0 : (latest?.waitingCount ?? 0),
    waitReason: isIdle ? null : (latest?.waitReason ?? null),
    decodeRowCount: isIdle ? 0 : (latest?.decodeRowCount ?? 0),
    prefillRowCount: isIdle ? 0 : (latest?.prefillRowCount ?? 0),
    totalBlockCount: latest?.totalBlockCount ?? 0,
    freeBlockCount: latest?.freeBlockCount ?? 0,
    cachedBlockCount: latest?.cachedBlockCount ?? 0,
    blockTokens: engine.loaded.blockTokens,
    generatedTokens: generatedTokenCount,
    stepId: latest?.stepId ?? 0,
    deviceMs: latest?.deviceMs ?? 0,
    hostMs: latest?.hostMs ?? 0,
    preemptionCount,
    requests,
  };
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
