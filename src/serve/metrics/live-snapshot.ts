/** The state of all batchers at one moment. */
import type { WaitReason } from '../../core/batcher-stats.js';
import type { ActiveRequest } from '../generation/active-requests.js';
import type { ServerContext } from '../server-context.js';
import type { EngineStats } from './engine-stats.js';

export interface LiveRequest {
  /** Shortened: enough to tell requests apart. */
  readonly id: string;
  readonly state: 'waiting' | 'running';
  readonly promptTokens: number;
  readonly outputTokens: number;
  readonly maxOutputTokens: number | null;
  readonly ageMs: number;
  readonly timeToFirstTokenMs: number | null;
}

export interface LiveEngine {
  readonly model: string;
  readonly slotCount: number;
  readonly runningCount: number;
  readonly waitingCount: number;
  readonly waitReason: WaitReason | null;
  readonly decodeRowCount: number;
  readonly prefillRowCount: number;
  readonly totalBlockCount: number;
  readonly freeBlockCount: number;
  readonly cachedBlockCount: number;
  readonly blockTokens: number;
  readonly generatedTokens: number;
  readonly stepId: number;
  readonly deviceMs: number;
  readonly hostMs: number;
  readonly preemptionCount: number;
  readonly requests: readonly LiveRequest[];
}

export interface LiveSnapshot {
  readonly timeMs: number;
  /** Why the server is not ready, if so. */
  readonly notReady: string | null;
  readonly engines: readonly LiveEngine[];
}

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
