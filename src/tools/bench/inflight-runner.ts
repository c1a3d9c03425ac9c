/** Sends a workload to a batcher in flight and records what each request saw. */
import type { Clock } from '../../core/clock.js';
import { AloftError } from '../../core/errors.js';
import type { RequestId } from '../../core/ids.js';
import type { BatcherEvent, TokenRequest } from '../../core/request.js';
import { GREEDY } from '../../core/sampling.js';
import type { TokenBatcher } from '../../core/token-batcher.js';
import type { RequestRecord } from './latency-report.js';
import type { WorkItem } from './workload.js';

export interface InflightRun {
  readonly records: readonly RequestRecord[];
  /** From the first arrival to the last end. */
  readonly totalMs: number;
}

export interface InflightOptions {
  /** Token ids of a text prompt. */
  readonly encode: (text: string) => Promise<readonly number[]>;
  readonly clock: Clock;
  /** Called as each request ends, with all that have ended. */
  readonly onRequest: (run: InflightRun) => void;
}

export async function runInflight(
  batcher: TokenBatcher,
  items: readonly WorkItem[],
  { encode, clock, onRequest }: InflightOptions,
): Promise<void> {
  const prompts = await Promise.all(
    items.map(async ({ prompt }) =>
      Int32Array.from(typeof prompt === 'string' ? await encode(prompt) : prompt),
    ),
  );
  const startMs = clock.nowMs();
  const records: RequestRecord[] = [];
  await Promise.all(
    items.map(async (item, index) => {
      const waitMs = startMs + item.arrivalMs - clock.nowMs();
      if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
      const request = toRequest(prompts[index]!, item, `inflight-${startMs}-${index}`);
      records.push(await sendOne(batcher, request, clock));
      onRequest({ records, totalMs: clock.nowMs() - startMs });
    }),
  );
}

/** No end id: exactly `outputTokens` are made, so that runs compare. */
function toRequest(promptTokenIds: Int32Array, item: WorkItem, name: string): TokenRequest {
  return {
    id: name as RequestId,
    promptTokenIds,
    maxOutputTokens: item.outputTokens,
    sampling: GREEDY,
    beam: undefined,
    sequenceCount: 1,
    bestOf: 1,
    endIds: [],
    stopTokenLists: [],
    priority: 0,
    queueTimeoutMs: undefined,
    deadlineMs: undefined,
    cacheSalt: undefined,
    returnContextLogits: false,
    returnGenerationLogits: false,
  };
}

function sendOne(batcher: TokenBatcher, request: TokenRequest, clock: Clock): Promise<RequestRecord> {
  const arrivalMs = clock.nowMs();
  const tokenMs: number[] = [];
  return new Promise((resolve, reject) => {
    batcher.submit(request, (event: BatcherEvent) => {
      const sinceMs = clock.nowMs() - arrivalMs;
      if (event.type === 'token') for (const _ of event.tokenIds) tokenMs.push(sinceMs);
      else if (event.type === 'failed') reject(new AloftError(event.error.code, event.error.message));
      else if (event.type === 'finished') {
        resolve({
          inputTokens: request.promptTokenIds.length,
          outputTokens: tokenMs.length,
          firstTokenMs: tokenMs[0] ?? sinceMs,
          tokenMs,
          endMs: sinceMs,
        });
      }
    });
  });
}
