import { afterEach, describe, expect, test } from 'vitest';
import type { StepStats } from '../../../core/batcher-stats.js';
import { SYSTEM_CLOCK } from '../../../core/clock.js';
import type { TokenRequest } from '../../../core/request.js';
import { GREEDY } from '../../../core/sampling.js';
import { ToyExecutor, type ToyExecutorOptions } from '../../executor/testing/toy-executor.js';
import { Batcher } from '../batcher.js';
import { type BatcherOptions, DEFAULT_BATCHER_OPTIONS } from '../batcher-options.js';
import { mixedRequests, tokenRequest } from '../testing/mixed-requests.js';
import { OutcomeCollector, runToEnd } from '../testing/outcome.js';
import { type ThreadedBatcher, openThreadedBatcher } from './threaded-batcher.js';

const TOY = new URL('../../executor/testing/toy-executor.js', import.meta.url).href;
const HANGING = new URL('../testing/hanging-executor.js', import.meta.url).href;
const limits = {
  maxStepTokens: 64,
  maxRows: 16,
  maxLogits: 16,
  blockTokens: 8,
  blockCount: 64,
  hostBlockCount: 32,
  maxSequenceTokens: 128,
  vocabulary: 48,
};

const opened: ThreadedBatcher[] = [];
afterEach(async () => {
  for (const batcher of opened.splice(0)) await batcher.close();
});

async function open(
  changes: Partial<ToyExecutorOptions> = {},
  options: Partial<BatcherOptions> = {},
  executorUrl = TOY,
): Promise<ThreadedBatcher> {
  const batcher = await openThreadedBatcher({
    executorUrl,
    executorOptions: { limits, ...changes },
    batcher: { ...DEFAULT_BATCHER_OPTIONS, ...options },
  });
  opened.push(batcher);
  return batcher;
}

/** Submits and waits for the terminal event. */
function ask(batcher: ThreadedBatcher, request: TokenRequest): Promise<OutcomeCollector> {
  return new Promise((resolve) => {
    const collector = new OutcomeCollector();
    batcher.submit(request, (event) => {
      collector.take(event);
      if (collector.isOver) resolve(collector);
    });
  });
}

const LONG = { maxOutputTokens: 120 };
/** Minutes, at 2 ms a token: it cannot end before it is cancelled. */
const ENDLESS = { maxOutputTokens: 90_000 };
const ENDLESS_TOY = { limits: { ...limits, maxSequenceTokens: 100_000, blockCount: 12_500 }, delayMs: 2 };

describe('engine thread', () => {
  test('answers what a batcher on this thread answers', async () => {
    const requests = mixedRequests(60, 3, {
      vocabulary: limits.vocabulary,
      maxPromptTokens: 60,
      maxOutputTokens: 30,
      withBeams: true,
    });
    const here = new Batcher(new ToyExecutor({ limits }), DEFAULT_BATCHER_OPTIONS, SYSTEM_CLOCK);
    const expected = await runToEnd(here, requests);
    const batcher = await open();
    const steps: StepStats[] = [];
    batcher.onStep((stats) => steps.push(stats));
    const answers = await Promise.all(requests.map((request) => ask(batcher, request)));
    expect(answers.flatMap(({ faults }) => faults)).toEqual([]);
    expect(answers.map(({ outcome }) => outcome)).toEqual(expected.map(({ outcome }) => outcome));
    expect(steps.at(-1)?.runningCount).toBe(0);
    expect(batcher.limits).toEqual(here.limits);
  });

  test('times are those of the main thread', async () => {
    const batcher = await open();
    const startMs = performance.now();
    let timeMs = 0;
    await new Promise<void>((resolve) => {
      batcher.submit(tokenRequest('a'), (event) => {
        if (event.type === 'token') timeMs = event.timeMs;
        if (event.type === 'finished') resolve();
      });
    });
    expect(timeMs).toBeGreaterThan(startMs - 5);
    expect(timeMs).toBeLessThan(performance.now() + 5);
  });

  test('a cancelled request ends with CANCELLED and what it had', async () => {
    const batcher = await open(ENDLESS_TOY);
    const collector = new OutcomeCollector();
    await new Promise<void>((resolve) => {
      batcher.submit(tokenRequest('a', ENDLESS), (event) => {
        collector.take(event);
        if (collector.tokenCount === 3) batcher.cancel(tokenRequest('a').id);
        if (collector.isOver) resolve();
      });
    });
    expect(collector.outcome.error).toBe('CANCELLED');
    expect(collector.outcome.sequences.get(0)?.finishReason).toBe('cancelled');
    expect(collector.faults).toEqual([]);
  });

  test('an executor that fails ends every request with its error, and later ones too', async () => {
    const batcher = await open({ failingStepId: 4 });
    const answers = await Promise.all(['a', 'b', 'c'].map((id) => ask(batcher, tokenRequest(id, LONG))));
    expect(answers.map(({ outcome }) => outcome.error)).toEqual(Array(3).fill('DEVICE_FAILED'));
    expect(batcher.health.state).toBe('failed');
    const late = await ask(batcher, tokenRequest('d'));
    expect(late.outcome.error).toBe('MODEL_UNAVAILABLE');
  });

  test('a module that fails makes opening fail with its error', async () => {
    const options = { executorUrl: TOY, executorOptions: { limits }, batcher: DEFAULT_BATCHER_OPTIONS };
    await expect(
      openThreadedBatcher({ ...options, batcher: { ...options.batcher, maxSequenceCount: 99 } }),
    ).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('max_num_sequences is 99'),
    });
    const withoutExecutor = new URL('../batcher-options.js', import.meta.url).href;
    await expect(openThreadedBatcher({ ...options, executorUrl: withoutExecutor })).rejects.toMatchObject({
      message: expect.stringContaining('does not export openExecutor'),
    });
  });

  test('a step that never ends fails its requests: the loop watches', async () => {
    const batcher = await open({ delayMs: 60_000 }, { stepTimeoutMs: 100 });
    const { outcome } = await ask(batcher, tokenRequest('a'));
    expect(outcome.error).toBe('DEVICE_FAILED');
  });

  test('a thread that hangs in a call fails its requests: the main thread watches', async () => {
    const batcher = await open({}, { stepTimeoutMs: 100 }, HANGING);
    const { outcome } = await ask(batcher, tokenRequest('a', LONG));
    expect(outcome.error).toBe('DEVICE_FAILED');
    expect(batcher.health.failure?.message).toContain('has not answered');
  });

  test('close ends what is open with SHUTTING_DOWN, and the thread', async () => {
    const batcher = await open(ENDLESS_TOY);
    const answer = ask(batcher, tokenRequest('a', ENDLESS));
    const [{ outcome }] = await Promise.all([answer, batcher.close()]);
    expect(outcome.error).toBe('SHUTTING_DOWN');
    const late = await ask(batcher, tokenRequest('b'));
    expect(late.outcome.error).toBe('SHUTTING_DOWN');
  });

  test('an id in progress is refused without disturbing its owner', async () => {
    const batcher = await open({ delayMs: 1 });
    const first = ask(batcher, tokenRequest('same', { sampling: GREEDY }));
    const second = await ask(batcher, tokenRequest('same'));
    expect(second.outcome.error).toBe('REQUEST_INVALID');
    expect((await first).outcome.error).toBeUndefined();
  });
});
