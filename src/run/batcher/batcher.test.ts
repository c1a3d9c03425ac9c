import { describe, expect, test } from 'vitest';
import type { StepStats } from '../../core/batcher-stats.js';
import type { BatcherEvent, TokenRequest } from '../../core/request.js';
import { GREEDY } from '../../core/sampling.js';
import type { StepOutput } from '../../core/step.js';
import { EMPTY_HISTORY, extendHistory, logSoftmax, toyLogits } from '../executor/testing/toy-model.js';
import { ToyExecutor, type ToyExecutorOptions } from '../executor/testing/toy-executor.js';
import { Batcher } from './batcher.js';
import { type BatcherOptions, DEFAULT_BATCHER_OPTIONS } from './batcher-options.js';
import { ManualClock } from './testing/manual-clock.js';
import { tokenRequest } from './testing/mixed-requests.js';
import { OutcomeCollector, runToEnd } from './testing/outcome.js';
import { toyLimits } from './testing/toy-limits.js';

const LIMITS = toyLimits(24);

interface Opened {
  readonly batcher: Batcher;
  readonly clock: ManualClock;
  readonly steps: StepStats[];
}

function open(options: Partial<BatcherOptions> = {}, toy: Partial<ToyExecutorOptions> = {}): Opened {
  const clock = new ManualClock();
  const batcher = new Batcher(
    new ToyExecutor({ limits: LIMITS, ...toy }),
    { ...DEFAULT_BATCHER_OPTIONS, ...options },
    clock,
  );
  const steps: StepStats[] = [];
  batcher.onStep((stats) => steps.push(stats));
  return { batcher, clock, steps };
}

function submit(batcher: Batcher, request: TokenRequest) {
  const collector = new OutcomeCollector();
  const events: BatcherEvent[] = [];
  batcher.submit(request, (event) => {
    collector.take(event);
    events.push(event);
  });
  return { collector, events };
}

async function runAll(batcher: Batcher): Promise<void> {
  while (await batcher.turn()) continue;
}

/** Greedy continuation of a prompt by the toy model. */
function greedyTokens(prompt: readonly number[], count: number): number[] {
  const tokens = [...prompt];
  // The executor keeps histories as positive hashes; see ToyExecutor.
  for (let i = 0; i < count; i++) {
    let chain = EMPTY_HISTORY;
    let history = EMPTY_HISTORY;
    for (const token of tokens) {
      chain = extendHistory(chain, token) >>> 1;
      history = extendHistory(history, chain);
    }
    const logits = toyLogits(history, LIMITS.vocabulary);
    tokens.push(logits.indexOf(Math.max(...logits)));
  }
  return tokens.slice(prompt.length);
}

describe('events', () => {
  test.each([true, false])('a greedy request, overlapped: %s', async (overlap) => {
    const { batcher } = open({ overlap });
    const { events } = submit(batcher, tokenRequest('a', { maxOutputTokens: 3 }));
    await runAll(batcher);
    const expected = greedyTokens([1, 2, 3], 3);
    expect(events.map(({ type }) => type)).toEqual(['token', 'token', 'token', 'sequence', 'finished']);
    expect(events.at(3)).toMatchObject({
      tokenIds: expected,
      finishReason: 'length',
      cumulativeLogprob: NaN,
    });
    expect(events.at(4)).toMatchObject({
      usage: { promptTokens: 3, cachedPromptTokens: 0, outputTokens: 3 },
    });
  });

  test.each([true, false])(
    'a row without a finite logit ends its request alone, overlapped: %s',
    async (overlap) => {
      const { batcher } = open({ overlap }, { nanTokenId: 22 });
      const broken = { promptTokenIds: Int32Array.of(4, 22), sequenceCount: 2 };
      const sampling = { ...GREEDY, repetitionPenalty: 1.5 };
      const [bad, good] = [
        submit(batcher, tokenRequest('bad', { ...broken, sampling })),
        submit(batcher, tokenRequest('good', { maxOutputTokens: 5 })),
      ];
      await runAll(batcher);
      expect(bad.events.filter(({ type }) => type === 'token')).toEqual([]);
      expect(bad.events.at(-1)).toMatchObject({
        type: 'failed',
        error: {
          code: 'DEVICE_FAILED',
          message: expect.stringMatching(/bad ends.*no finite logit/) as string,
        },
      });
      expect(good.collector.outcome.sequences.get(0)!.tokenIds).toEqual(greedyTokens([1, 2, 3], 5));
      expect(batcher.health.state).toBe('running');
      expect(batcher.kv.freeCount + batcher.kv.cachedCount).toBe(LIMITS.blockCount);
    },
  );

  test('a beam search without a finite logit fails', async () => {
    const { batcher } = open({}, { nanTokenId: 22 });
    const beam = { width: 2, lengthPenalty: 1, earlyStopping: true };
    const { events } = submit(batcher, tokenRequest('a', { promptTokenIds: Int32Array.of(22), beam }));
    await runAll(batcher);
    expect(events.map((event) => event.type === 'failed' && event.error.code)).toEqual(['DEVICE_FAILED']);
  });

  test('an end id ends the sequence and is not part of it', async () => {
    const { batcher } = open();
    const tokens = greedyTokens([1, 2, 3], 8);
    const endId = tokens[4]!;
    const { collector } = submit(batcher, tokenRequest('a', { endIds: [endId] }));
    await runAll(batcher);
    const expected = tokens.slice(0, tokens.indexOf(endId));
    expect(collector.outcome.sequences.get(0)).toMatchObject({ tokenIds: expected, finishReason: 'stop' });
  });

  test('a stop list ends the sequence; its beginning is held back until it is certain', async () => {
    const { batcher } = open();
    const tokens = greedyTokens([1, 2, 3], 8);
    const stopTokenLists = [tokens.slice(3, 5), [tokens[1]!, 99]];
    const { collector, events } = submit(batcher, tokenRequest('a', { stopTokenLists }));
    await runAll(batcher);
    expect(collector.faults).toEqual([]);
    expect(collector.outcome.sequences.get(0)).toMatchObject({
      tokenIds: tokens.slice(0, 3),
      streamed: tokens.slice(0, 3),
      finishReason: 'stop_word',
    });
    const pieces = events.flatMap((event) => (event.type === 'token' ? [event.tokenIds.length] : []));
    expect(pieces).toEqual([1, 2]);
  });

  test('scores of the prompt come before the first token', async () => {
    const { batcher } = open();
    const sampling = { ...GREEDY, promptLogprobs: 2 };
    const promptTokenIds = Int32Array.of(4, 5, 6, 7, 8);
    const { events } = submit(
      batcher,
      tokenRequest('a', { promptTokenIds, sampling, returnContextLogits: true }),
    );
    await runAll(batcher);
    const [first] = events;
    if (first?.type !== 'prompt') throw new Error(`the first event is ${first?.type}`);
    expect(first.logprobs?.map(({ tokenId }) => tokenId)).toEqual([5, 6, 7, 8]);
    expect(first.logits).toHaveLength(5 * LIMITS.vocabulary);
    const row = first.logits!.subarray(LIMITS.vocabulary, 2 * LIMITS.vocabulary);
    expect(first.logprobs?.[1]?.logprob).toBeCloseTo(logSoftmax(row)[6]!, 5);
    expect(first.logprobs?.[1]?.top[0]?.tokenId).toBe(row.indexOf(Math.max(...row)));
  });

  test('bestOf returns the likeliest of its continuations', async () => {
    const sampling = { ...GREEDY, temperature: 1, seed: 5n };
    const { batcher } = open();
    const all = submit(
      batcher,
      tokenRequest('all', { sampling: { ...sampling, logprobs: 0 }, sequenceCount: 4 }),
    );
    const best = submit(batcher, tokenRequest('best', { sampling, bestOf: 4, sequenceCount: 2 }));
    await runAll(batcher);
    const ranked = [...all.collector.outcome.sequences.values()].toSorted(
      (a, b) => b.cumulativeLogprob - a.cumulativeLogprob,
    );
    const returned = [...best.collector.outcome.sequences.values()];
    expect(returned.map(({ tokenIds }) => tokenIds)).toEqual(
      ranked.slice(0, 2).map(({ tokenIds }) => tokenIds),
    );
    const sum = ranked[0]!.logprobs.reduce((total, { logprob }) => total + logprob, 0);
    expect(ranked[0]!.cumulativeLogprob).toBeCloseTo(sum, 5);
  });

  test('a second prompt with the same beginning finds it in the cache', async () => {
    const { batcher, steps } = open();
    const promptTokenIds = Int32Array.from({ length: 14 }, (_, i) => i);
    await runToEnd(batcher, [tokenRequest('a', { promptTokenIds })]);
    const { events } = submit(batcher, tokenRequest('b', { promptTokenIds }));
    await runAll(batcher);
    expect(events.at(-1)).toMatchObject({ usage: { cachedPromptTokens: 12 } });
    expect(steps.reduce((sum, { prefixHitTokens }) => sum + prefixHitTokens, 0)).toBe(12);
  });

  test('a request reports the blocks that it took, those that held nothing and those it found', async () => {
    const limits = { ...LIMITS, blockCount: 6 };
    const { batcher } = open({}, { limits });
    const blocksOf = async (id: string, firstToken: number) => {
      const promptTokenIds = Int32Array.from({ length: 14 }, (_, i) => firstToken + (i % 8));
      const { events } = submit(batcher, tokenRequest(id, { promptTokenIds, maxOutputTokens: 3 }));
      await runAll(batcher);
      const last = events.at(-1);
      return last?.type === 'finished' ? last.usage.kvBlocks : undefined;
    };
    // 14 tokens and 2 of the 3 that follow, since the last one is never run, in blocks of 4.
    expect(await blocksOf('a', 0)).toEqual({ taken: 4, fresh: 4, reused: 0 });
    expect(await blocksOf('b', 0)).toEqual({ taken: 1, fresh: 1, reused: 3 });
    // Four of the six blocks are cached now, and two of them have to go.
    expect(await blocksOf('c', 8)).toEqual({ taken: 4, fresh: 2, reused: 0 });
  });
});

describe('ends that nobody wants', () => {
  test('cancel ends at once, and reentrant calls disturb nobody', async () => {
    const { batcher } = open();
    const victim = tokenRequest('victim', { maxOutputTokens: 30, sequenceCount: 2, bestOf: 2 });
    const collector = new OutcomeCollector();
    let hasCancelled = false;
    let nested: OutcomeCollector | undefined;
    batcher.submit(victim, (event) => {
      collector.take(event);
      if (collector.tokenCount !== 5 || hasCancelled) return;
      hasCancelled = true;
      batcher.cancel(victim.id);
      nested = submit(batcher, { ...victim, maxOutputTokens: 4 }).collector;
    });
    const other = submit(batcher, tokenRequest('other', { maxOutputTokens: 12 }));
    await runAll(batcher);
    expect(collector.outcome.error).toBe('CANCELLED');
    expect([...collector.outcome.sequences.values()].map(({ finishReason }) => finishReason)).toEqual([
      'cancelled',
      'cancelled',
    ]);
    expect([collector, nested!, other.collector].flatMap(({ faults }) => faults)).toEqual([]);
    expect(nested!.outcome.sequences.get(1)?.tokenIds).toHaveLength(4);
    expect(other.collector.outcome.sequences.get(0)?.tokenIds).toEqual(greedyTokens([1, 2, 3], 12));
    expect(batcher.kv.availableCount).toBe(LIMITS.blockCount);
  });

  test('a request that waits too long, and one that runs too long', async () => {
    const { batcher, clock } = open({ maxSequenceCount: 1 });
    const slow = submit(batcher, tokenRequest('slow', { maxOutputTokens: 40, deadlineMs: 20 }));
    const waiting = submit(batcher, tokenRequest('waiting', { queueTimeoutMs: 10 }));
    for (let i = 0; i < 30; i++) {
      clock.advance(1);
      await batcher.turn();
    }
    expect(waiting.events).toMatchObject([
      { error: { code: 'QUEUE_TIMEOUT' }, timings: { scheduledMs: undefined, finishedMs: 10 } },
    ]);
    expect(slow.collector.outcome.error).toBe('DEADLINE_EXCEEDED');
    expect(slow.collector.outcome.sequences.get(0)?.finishReason).toBe('deadline');
    expect(slow.events.at(-1)).toMatchObject({ timings: { submittedMs: 0, scheduledMs: 1, finishedMs: 20 } });
  });

  test('a full queue and an id in progress are answered at once', async () => {
    const { batcher } = open({ maxSequenceCount: 1, maxQueuedRequests: 1 });
    submit(batcher, tokenRequest('a'));
    await batcher.turn();
    submit(batcher, tokenRequest('b'));
    expect(submit(batcher, tokenRequest('c')).collector.outcome.error).toBe('QUEUE_FULL');
    expect(submit(batcher, tokenRequest('a')).collector.outcome.error).toBe('REQUEST_INVALID');
    await runAll(batcher);
    expect(submit(batcher, tokenRequest('a')).collector.isOver).toBe(false);
  });

  test('a request that can never fit is refused and says by how much', () => {
    const { batcher } = open();
    const { events } = submit(batcher, tokenRequest('a', { maxOutputTokens: 62 }));
    expect(events).toMatchObject([
      { type: 'failed', error: { code: 'REQUEST_TOO_LARGE', message: expect.stringContaining('1 more') } },
    ]);
  });

  test('when the executor fails, every request ends with its error and what it had', async () => {
    const { batcher } = open({ maxSequenceCount: 2 }, { failingStepId: 5 });
    const asked = ['a', 'b', 'waiting'].map((id) =>
      submit(batcher, tokenRequest(id, { maxOutputTokens: 20 })),
    );
    batcher.start();
    await expect.poll(() => asked.every(({ collector }) => collector.isOver)).toBe(true);
    expect(asked.map(({ collector }) => collector.outcome.error)).toEqual(Array(3).fill('DEVICE_FAILED'));
    expect(asked.flatMap(({ collector }) => collector.faults)).toEqual([]);
    expect(asked[0]!.collector.outcome.sequences.get(0)?.finishReason).toBe('error');
    expect(asked[2]!.events).toHaveLength(1);
    expect(batcher.health).toMatchObject({ state: 'failed', failure: { code: 'DEVICE_FAILED' } });
    expect(submit(batcher, tokenRequest('late')).collector.outcome.error).toBe('MODEL_UNAVAILABLE');
    await batcher.close();
  });

  test('the watchdog ends requests whose step does not end', async () => {
    class Silent extends ToyExecutor {
      override collect(): Promise<StepOutput> {
        return new Promise(() => {});
      }
    }
    const clock = new ManualClock();
    const options = { ...DEFAULT_BATCHER_OPTIONS, stepTimeoutMs: 1000 };
    const batcher = new Batcher(new Silent({ limits: LIMITS }), options, clock);
    const failures: string[] = [];
    batcher.onFailure(({ code }) => failures.push(code));
    batcher.start();
    const { collector } = submit(batcher, tokenRequest('a'));
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(1000);
    batcher.checkWatchdog();
    expect(collector.isOver).toBe(false);
    clock.advance(1);
    batcher.checkWatchdog();
    expect(collector.outcome.error).toBe('DEVICE_FAILED');
    expect(failures).toEqual(['DEVICE_FAILED']);
    await batcher.close();
  });

  test('close ends what is open, then refuses', async () => {
    const { batcher } = open({}, { delayMs: 5 });
    batcher.start();
    const collector = new OutcomeCollector();
    await new Promise<void>((resolve) => {
      batcher.submit(tokenRequest('a', { maxOutputTokens: 60 }), (event) => {
        collector.take(event);
        if (collector.tokenCount === 3) resolve();
      });
    });
    await batcher.close();
    expect(collector.outcome.error).toBe('SHUTTING_DOWN');
    expect(submit(batcher, tokenRequest('b')).collector.outcome.error).toBe('SHUTTING_DOWN');
  });
});

describe('statistics', () => {
  test('say what ran, what is left and why something waits', async () => {
    const { batcher, steps } = open({ maxSequenceCount: 2, overlap: false });
    for (const id of ['a', 'b', 'c']) submit(batcher, tokenRequest(id, { maxOutputTokens: 2 }));
    await runAll(batcher);
    expect(steps.map(({ decodeRowCount, prefillRowCount }) => [decodeRowCount, prefillRowCount])).toEqual([
      [0, 2],
      [2, 0],
      [0, 1],
      [1, 0],
    ]);
    expect(steps[0]).toMatchObject({ tokenCount: 6, waitingCount: 1, runningCount: 2, waitReason: 'slots' });
    expect(steps.at(-1)).toMatchObject({ runningCount: 0, waitingCount: 0, waitReason: undefined });
    expect(steps.at(-1)!.freeBlockCount + steps.at(-1)!.cachedBlockCount).toBe(LIMITS.blockCount);
  });

  test('the heartbeat stands still while a step runs, and is now when nothing does', async () => {
    const { batcher, clock } = open();
    clock.advance(50);
    expect(batcher.health.heartbeatMs).toBe(50);
    submit(batcher, tokenRequest('a', { maxOutputTokens: 20 }));
    await batcher.turn();
    clock.advance(25);
    expect(batcher.health.heartbeatMs).toBe(50);
    await batcher.turn();
    expect(batcher.health.heartbeatMs).toBe(75);
  });
});

test('options that exceed the executor are refused by name', () => {
  expect(() => open({ maxStepTokens: 65 })).toThrow('max_num_tokens is 65, but this engine takes 1 to 64');
  expect(() => open({ maxStepTokens: 4 })).toThrow('needs as many tokens and logits');
});
