/** The impure half of the static-batch benchmark: runs one case on a batcher and times it. */
import type { Clock } from '../../core/clock.js';
import { AloftError } from '../../core/errors.js';
import type { RequestId } from '../../core/ids.js';
import type { BatcherEvent, RequestTimings, TokenRequest } from '../../core/request.js';
import type { SamplingParams } from '../../core/sampling.js';
import type { TokenBatcher } from '../../core/token-batcher.js';
import type { SweepCase } from './sweep.js';

export interface RunPlan {
  /** Runs before anything is measured. */
  readonly warmUpRuns: number;
  /** Measured runs at least. */
  readonly minRuns: number;
  /** Measured seconds at least. */
  readonly minSeconds: number;
  readonly sampling: SamplingParams;
  /** 1 samples; more is beam search. Beams do not count as output. */
  readonly beamWidth: number;
  /** Called after each run, warm-up runs too. */
  readonly onRun?: (progress: RunProgress) => void;
}

export interface RunProgress {
  /** Measured runs. */
  readonly runCount: number;
  /** Seconds since the first measured run began. */
  readonly seconds: number;
  /** Share of the case that is done, 0 to 1. */
  readonly share: number;
}

export interface CaseTimes {
  /** One per run: the whole batch, prompt and output. */
  readonly latenciesMs: readonly number[];
  /** Mean over all measured requests. */
  readonly firstTokenMs: number;
}

/** Runs, as the original does, while fewer than `minRuns` are done or less than `minSeconds` have passed. */
export async function measureCase(
  batcher: TokenBatcher,
  one: SweepCase,
  plan: RunPlan,
  clock: Clock,
): Promise<CaseTimes> {
  for (let run = 0; run < plan.warmUpRuns; run++) {
    await runOnce(batcher, one, plan, clock);
    plan.onRun?.({ runCount: 0, seconds: 0, share: 0 });
  }
  const latenciesMs: number[] = [];
  const firstTokens: number[] = [];
  const startMs = clock.nowMs();
  while (latenciesMs.length < plan.minRuns || clock.nowMs() - startMs < plan.minSeconds * 1000) {
    const { latencyMs, firstTokenMs } = await runOnce(batcher, one, plan, clock);
    latenciesMs.push(latencyMs);
    firstTokens.push(firstTokenMs);
    plan.onRun?.(progressOf(latenciesMs.length, (clock.nowMs() - startMs) / 1000, plan));
  }
  return { latenciesMs, firstTokenMs: firstTokens.reduce((sum, ms) => sum + ms, 0) / firstTokens.length };
}

/** Both the runs and the seconds must be reached. */
function progressOf(runCount: number, seconds: number, { minRuns, minSeconds }: RunPlan): RunProgress {
  const secondsShare = minSeconds > 0 ? seconds / minSeconds : 1;
  return { runCount, seconds, share: Math.min(1, runCount / minRuns, secondsShare) };
}

async function runOnce(batcher: TokenBatcher, one: SweepCase, plan: RunPlan, clock: Clock) {
  const name = `bench-${clock.nowMs()}`;
  const startMs = clock.nowMs();
  const timings = await Promise.all(
    Array.from({ length: one.batch }, (_, row) =>
      submit(batcher, benchmarkRequest(one, plan, `${name}-${row}`)),
    ),
  );
  const latencyMs = clock.nowMs() - startMs;
  const firstTokenMs =
    timings.reduce(
      (sum, timing) => sum + (timing.firstTokenMs ?? timing.submittedMs) - timing.submittedMs,
      0,
    ) / one.batch;
  return { latencyMs, firstTokenMs };
}

/** Random ids from 0 to 99, no end id, and a salt of its own: exactly `outputTokens` are made and no prefix is reused. */
function benchmarkRequest(one: SweepCase, { sampling, beamWidth }: RunPlan, name: string): TokenRequest {
  return {
    id: name as RequestId,
    promptTokenIds: Int32Array.from({ length: one.inputTokens }, () => Math.floor(Math.random() * 100)),
    maxOutputTokens: one.outputTokens,
    sampling,
    beam: beamWidth > 1 ? { width: beamWidth, lengthPenalty: 1, earlyStopping: false } : undefined,
    sequenceCount: 1,
    bestOf: 1,
    endIds: [],
    stopTokenLists: [],
    priority: 0,
    queueTimeoutMs: undefined,
    deadlineMs: undefined,
    cacheSalt: name,
    returnContextLogits: false,
    returnGenerationLogits: false,
  };
}

function submit(batcher: TokenBatcher, request: TokenRequest): Promise<RequestTimings> {
  return new Promise((resolve, reject) => {
    let tokenCount = 0;
    batcher.submit(request, (event: BatcherEvent) => {
      if (event.type === 'sequence') tokenCount = event.tokenIds.length;
      else if (event.type === 'failed') reject(new AloftError(event.error.code, event.error.message));
      else if (event.type === 'finished') {
        if (tokenCount === request.maxOutputTokens) resolve(event.timings);
        else
          reject(
            new AloftError(
              'INTERNAL',
              `${request.id} made ${tokenCount} of ${request.maxOutputTokens} tokens`,
            ),
          );
      }
    });
  });
}
