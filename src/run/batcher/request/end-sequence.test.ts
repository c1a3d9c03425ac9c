/** Sequences that the submitter ends: the others of their request go on as if nothing had happened. */
import { expect, test } from 'vitest';
import type { StepStats } from '../../../core/batcher-stats.js';
import type { BatcherEvent, TokenRequest } from '../../../core/request.js';
import { GREEDY } from '../../../core/sampling.js';
import { ToyExecutor } from '../../executor/testing/toy-executor.js';
import { Batcher } from '../batcher.js';
import { type BatcherOptions, DEFAULT_BATCHER_OPTIONS } from '../batcher-options.js';
import { ManualClock } from '../testing/manual-clock.js';
import { tokenRequest } from '../testing/mixed-requests.js';
import { OutcomeCollector } from '../testing/outcome.js';
import { openThreadedBatcher } from '../thread/threaded-batcher.js';

const LIMITS = {
  maxStepTokens: 16,
  maxRows: 4,
  maxLogits: 16,
  blockTokens: 4,
  blockCount: 64,
  hostBlockCount: 0,
  maxSequenceTokens: 64,
  vocabulary: 24,
};

const THREE = tokenRequest('three', {
  maxOutputTokens: 20,
  sequenceCount: 3,
  bestOf: 3,
  sampling: { ...GREEDY, temperature: 1, seed: 5n },
});

function open(options: Partial<BatcherOptions> = {}) {
  const executor = new ToyExecutor({ limits: LIMITS });
  const batcher = new Batcher(executor, { ...DEFAULT_BATCHER_OPTIONS, ...options }, new ManualClock());
  const steps: StepStats[] = [];
  batcher.onStep((stats) => steps.push(stats));
  return { batcher, steps };
}

function submit(batcher: Pick<Batcher, 'submit'>, request: TokenRequest) {
  const collector = new OutcomeCollector();
  const events: BatcherEvent[] = [];
  batcher.submit(request, (event) => {
    collector.take(event);
    events.push(event);
  });
  return { collector, events };
}

async function turns(batcher: Batcher, count = Infinity): Promise<void> {
  for (let i = 0; i < count && (await batcher.turn()); i++) batcher.kv.checkIntegrity();
}

async function answerAlone(request: TokenRequest) {
  const { batcher } = open();
  const { collector } = submit(batcher, request);
  await turns(batcher);
  return collector.outcome;
}

test.each([true, false])('ends at once, its slot and blocks are free, overlapped: %s', async (overlap) => {
  const alone = await answerAlone(THREE);
  const { batcher, steps } = open({ overlap, prefixReuse: false, maxSequenceCount: 3 });
  const { collector, events } = submit(batcher, THREE);
  const next = submit(batcher, tokenRequest('next', { maxOutputTokens: 1 }));
  await turns(batcher, 8);
  const freeBefore = batcher.kv.freeCount;
  batcher.endSequence(THREE.id, 1);
  const { tokenIds } = collector.outcome.sequences.get(1)!;
  expect(events.at(-1)).toMatchObject({ type: 'sequence', sequence: 1, finishReason: 'stop_word' });
  expect(tokenIds.length).toBeGreaterThan(4);
  expect(batcher.kv.freeCount).toBeGreaterThan(freeBefore);
  const stepCount = steps.length;
  // The freed slot serves the next request with the next step, beside the other two sequences.
  await turns(batcher, 2);
  expect(next.collector.isOver || overlap).toBe(true);
  await turns(batcher);
  expect(next.collector.isOver).toBe(true);
  const rows = steps.slice(stepCount + 2).map(({ decodeRowCount }) => decodeRowCount);
  expect(Math.max(...rows)).toBe(2);
  expect(collector.faults).toEqual([]);
  expect(tokenIds).toEqual(alone.sequences.get(1)!.tokenIds.slice(0, tokenIds.length));
  for (const i of [0, 2]) expect(collector.outcome.sequences.get(i)).toEqual(alone.sequences.get(i));
  expect(events.at(-1)).toMatchObject({ type: 'finished', usage: { outputTokens: 40 + tokenIds.length } });
  expect(batcher.kv.freeCount).toBe(LIMITS.blockCount);
});

test('the last sequence finishes the request; what has ended or is unknown is left alone', async () => {
  const { batcher } = open();
  const { collector, events } = submit(batcher, THREE);
  await turns(batcher, 3);
  for (const sequence of [0, 0, 1, 3, -1, 2, 2]) batcher.endSequence(THREE.id, sequence);
  batcher.endSequence(THREE.id, 0);
  expect(events.slice(-4).map(({ type }) => type)).toEqual(['sequence', 'sequence', 'sequence', 'finished']);
  await turns(batcher);
  expect([collector.isOver, collector.faults]).toEqual([true, []]);
  expect(batcher.kv.freeCount + batcher.kv.cachedCount).toBe(LIMITS.blockCount);
});

test('called while the token is emitted, also for one that waits', async () => {
  const { batcher } = open({ maxSequenceCount: 3 });
  const alone = await answerAlone(THREE);
  const collector = new OutcomeCollector();
  batcher.submit(THREE, (event) => {
    collector.take(event);
    if (event.type === 'token' && collector.tokenCount >= 7) batcher.endSequence(THREE.id, event.sequence);
  });
  const waiting = submit(batcher, tokenRequest('waiting', {}));
  batcher.endSequence(tokenRequest('waiting').id, 0);
  await turns(batcher);
  expect(waiting.events.map(({ type }) => type)).toEqual(['sequence', 'finished']);
  expect(collector.faults).toEqual([]);
  for (const [i, { tokenIds, finishReason }] of collector.outcome.sequences) {
    expect(finishReason).toBe('stop_word');
    expect(tokenIds.length).toBeLessThan(5);
    expect(tokenIds).toEqual(alone.sequences.get(i)!.tokenIds.slice(0, tokenIds.length));
  }
});

test.each([1, 2, 3])(
  'the one that computes the prompt for all can be ended too, after %i turns',
  async (turnCount) => {
    const long = {
      ...THREE,
      promptTokenIds: Int32Array.from({ length: 40 }, (_, i) => (i * 7) % 24),
      sampling: { ...THREE.sampling, promptLogprobs: 1 },
    };
    const alone = await answerAlone(long);
    const { batcher } = open({ overlap: true });
    const { collector } = submit(batcher, long);
    await turns(batcher, turnCount);
    for (const sequence of [0, 1]) batcher.endSequence(long.id, sequence);
    await turns(batcher);
    expect(collector.faults).toEqual([]);
    expect(collector.outcome.sequences.get(2)).toEqual(alone.sequences.get(2));
    expect(collector.outcome.promptLogprobs).toEqual(alone.promptLogprobs);
    expect(batcher.kv.freeCount + batcher.kv.cachedCount).toBe(LIMITS.blockCount);
  },
);

test('beams and candidates of bestOf cannot be ended one by one', async () => {
  const kinds = [
    { ...THREE, beam: { width: 3, lengthPenalty: 1, earlyStopping: true } },
    { ...THREE, sequenceCount: 1 },
  ];
  for (const request of kinds) {
    const { batcher } = open();
    const { collector } = submit(batcher, request);
    await turns(batcher, 4);
    batcher.endSequence(request.id, 0);
    await turns(batcher);
    expect(collector.outcome).toEqual(await answerAlone(request));
  }
});

test('through the engine thread', async () => {
  const executorUrl = new URL('../../executor/testing/toy-executor.js', import.meta.url).href;
  const options = { executorUrl, executorOptions: { limits: LIMITS }, batcher: DEFAULT_BATCHER_OPTIONS };
  const batcher = await openThreadedBatcher(options);
  const alone = await answerAlone({ ...THREE, maxOutputTokens: 60 });
  const collector = new OutcomeCollector();
  await new Promise<void>((resolve) => {
    batcher.submit({ ...THREE, maxOutputTokens: 60 }, (event) => {
      collector.take(event);
      if (event.type === 'token' && event.sequence === 0) batcher.endSequence(THREE.id, 0);
      if (collector.isOver) resolve();
    });
  });
  batcher.endSequence(THREE.id, 1);
  await batcher.close();
  expect([collector.outcome.error, collector.faults]).toEqual([undefined, []]);
  const { tokenIds, finishReason } = collector.outcome.sequences.get(0)!;
  expect([finishReason, tokenIds]).toEqual([
    'stop_word',
    alone.sequences.get(0)!.tokenIds.slice(0, tokenIds.length),
  ]);
  for (const i of [1, 2]) expect(collector.outcome.sequences.get(i)).toEqual(alone.sequences.get(i));
});
