import { describe, expect, test } from 'vitest';
import type { RequestId } from '../../core/ids.js';
import { KvCache } from '../kv/kv-cache.js';
import type { SchedulerLimits } from './scheduler-limits.js';
import { Scheduler } from './scheduler.js';
import { type GroupSpec, type Sequence, SequenceGroup } from './sequence.js';
import type { RowList } from './step-plan.js';

const LIMITS: SchedulerLimits = {
  batchingType: 'inflight_fused_batching',
  policy: 'guaranteed_no_evict',
  maxSequenceCount: 4,
  maxStepTokens: 16,
  maxStepLogits: 16,
  swap: false,
  priorityHeadStartMs: 100,
};

/** A scheduler with a device that answers token 7 to everything at once. */
class Bench {
  readonly kv: KvCache;
  readonly scheduler: Scheduler;
  readonly finished: string[] = [];

  constructor(limits: Partial<SchedulerLimits> = {}, blockCount = 32, hostBlockCount = 0) {
    const all = { ...LIMITS, ...limits };
    this.kv = new KvCache({
      blockTokens: 4,
      blockCount,
      hostBlockCount,
      slotCount: all.maxSequenceCount,
      maxSequenceTokens: 64,
      prefixReuse: false,
    });
    this.scheduler = new Scheduler(all, this.kv);
  }

  add(
    id: string,
    promptCount: number,
    maxOutputTokens: number,
    changes: Partial<GroupSpec> = {},
  ): SequenceGroup {
    const group = new SequenceGroup({
      id: id as RequestId,
      promptTokenIds: new Int32Array(promptCount).fill(1),
      maxOutputTokens,
      width: 1,
      isBeamSearch: false,
      scoresPrompt: false,
      cacheSalt: undefined,
      priority: 0,
      submittedMs: 0,
      startBeforeMs: Infinity,
      endBeforeMs: Infinity,
      ...changes,
    });
    this.scheduler.add(group);
    return group;
  }

  /** Plans a step, answers it, and returns what ran: `id:tokens`, decode rows first. */
  step(): { decode: string[]; prefill: string[]; reason: string | undefined; preempted: number } {
    const plan = this.scheduler.plan();
    const names = (rows: RowList) =>
      Array.from({ length: rows.length }, (_, i) => `${rows.sequence(i).group.spec.id}:${rows.counts.at(i)}`);
    const ran = {
      decode: names(plan.decodeRows),
      prefill: names(plan.prefillRows),
      reason: plan.waitReason,
      preempted: plan.preemptedGroupCount,
    };
    for (const rows of [plan.decodeRows, plan.prefillRows])
      for (let i = 0; i < rows.length; i++) if (rows.samples.at(i) === 1) this.#answer(rows.sequence(i));
    plan.detachedSlots.clear();
    this.kv.takeSaves();
    this.kv.takeLoads();
    this.kv.takeCopies();
    this.kv.checkIntegrity();
    return ran;
  }

  #answer(sequence: Sequence): void {
    sequence.inFlightCount--;
    sequence.append(7);
    if (sequence.knownCount < sequence.maxTokens) return;
    this.finished.push(sequence.group.spec.id);
    this.scheduler.finish(sequence);
  }
}

describe('batches', () => {
  test('decode rows come first and have their tokens set aside', () => {
    const bench = new Bench();
    bench.add('a', 8, 4);
    expect(bench.step().prefill).toEqual(['a:8']);
    bench.add('b', 30, 4);
    expect(bench.step()).toMatchObject({ decode: ['a:1'], prefill: ['b:12'] });
    expect(bench.step()).toMatchObject({ decode: ['a:1'], prefill: ['b:12'] });
    expect(bench.step()).toMatchObject({ decode: ['a:1'], prefill: ['b:6'] });
    expect(bench.step()).toMatchObject({ decode: ['b:1'], prefill: [] });
  });

  test('inflight_batching runs prompts and single tokens in turn, never together', () => {
    const bench = new Bench({ batchingType: 'inflight_batching' });
    bench.add('a', 4, 4);
    bench.step();
    bench.add('b', 20, 2);
    const steps = Array.from({ length: 5 }, () => bench.step());
    for (const { decode, prefill } of steps) expect(Math.min(decode.length, prefill.length)).toBe(0);
    expect(steps.map(({ decode, prefill }) => [...decode, ...prefill].join())).toEqual([
      'a:1',
      'b:16',
      'a:1',
      'b:4',
      'a:1,b:1',
    ]);
  });

  test('V1 starts a batch when the one before is over, whatever its prompts need', () => {
    const bench = new Bench({ batchingType: 'V1' });
    bench.add('a', 14, 2);
    bench.add('b', 14, 6);
    bench.step();
    expect(bench.scheduler.runningCount).toBe(2);
    bench.add('c', 1, 1);
    while (bench.finished.length < 2) expect(bench.step().reason).toBe('slots');
    expect(bench.step().prefill).toEqual(['c:1']);
  });
});

describe('admission', () => {
  test('guaranteed_no_evict reckons with the longest output, max_utilization with the next block', () => {
    for (const [policy, startedCount] of [
      ['guaranteed_no_evict', 1],
      ['max_utilization', 3],
    ] as const) {
      const bench = new Bench({ policy }, 9);
      for (const id of ['a', 'b', 'c', 'd']) bench.add(id, 4, 20);
      const { reason } = bench.step();
      expect(bench.scheduler.runningCount).toBe(startedCount);
      expect(reason).toBe('blocks');
    }
  });

  test('says what the first waiting request waits for', () => {
    const slots = new Bench({ maxSequenceCount: 1 });
    slots.add('a', 2, 4);
    slots.add('b', 2, 4);
    expect(slots.step().reason).toBe('slots');
    const tokens = new Bench();
    tokens.add('a', 40, 4);
    tokens.add('b', 2, 4);
    expect(tokens.step().reason).toBe('tokens');
    const blocks = new Bench({}, 4);
    blocks.add('a', 8, 4);
    blocks.add('b', 8, 4);
    expect(blocks.step().reason).toBe('blocks');
  });

  test('a large request is not overtaken by small ones', () => {
    const bench = new Bench({}, 8);
    bench.add('a', 4, 13);
    bench.add('large', 16, 14);
    bench.add('small', 1, 1);
    while (bench.finished.length < 3) bench.step();
    expect(bench.finished).toEqual(['a', 'large', 'small']);
    expect(bench.step().reason).toBeUndefined();
  });

  test('a priority is a head start, so a steady stream of urgent requests starves nobody', () => {
    const bench = new Bench({ maxSequenceCount: 1 });
    bench.add('patient', 1, 1, { submittedMs: 0 });
    for (let nowMs = 0; !bench.finished.includes('patient'); nowMs += 10) {
      bench.add(`urgent at ${nowMs}`, 1, 1, { submittedMs: nowMs, priority: 3 });
      bench.step();
      expect(nowMs).toBeLessThanOrEqual(300);
    }
    expect(bench.finished.length).toBeGreaterThan(25);
  });

  test('a group of several sequences needs a slot for each and shares its prompt', () => {
    const bench = new Bench({ maxSequenceCount: 3 });
    bench.add('a', 1, 9);
    bench.add('wide', 9, 2, { width: 3 });
    expect(bench.step().reason).toBe('slots');
    while (bench.finished.length < 1) bench.step();
    expect(bench.step().prefill).toEqual(['wide:8']);
    expect(bench.kv.availableCount).toBe(32 - 2);
    expect(bench.step().prefill).toEqual(['wide:1', 'wide:1', 'wide:1']);
    expect(bench.kv.availableCount).toBe(32 - 5);
  });
});

describe('preemption', () => {
  /** Two sequences of up to 24 tokens in 8 blocks of 4. */
  function crowded(limits: Partial<SchedulerLimits> = {}, hostBlockCount = 0) {
    const bench = new Bench({ policy: 'max_utilization', ...limits }, 8, hostBlockCount);
    const first = bench.add('first', 8, 16);
    const last = bench.add('last', 8, 16);
    let ran = bench.step();
    while (ran.preempted === 0) ran = bench.step();
    return { bench, first, last, ran };
  }

  test('takes the blocks of the last in rank, which starts again when there is room', () => {
    const { bench, first, last, ran } = crowded();
    expect([first.state, last.state]).toEqual(['running', 'waiting']);
    expect(ran.reason).toBe('blocks');
    expect(last.sequences[0]!.computedCount).toBe(0);
    while (bench.finished.length < 2) bench.step();
    expect(bench.finished).toEqual(['first', 'last']);
    expect(bench.kv.freeCount).toBe(8);
  });

  test('nothing starts in the step that preempts', () => {
    const { bench } = crowded();
    const small = new Bench({ policy: 'max_utilization' }, 8);
    small.add('first', 8, 16);
    small.add('last', 8, 16);
    for (let ran = small.step(); ran.preempted === 0; ran = small.step()) continue;
    expect(small.scheduler.runningCount).toBe(1);
    expect(bench.scheduler.waitingCount).toBe(1);
  });

  test('with the host tier nothing is computed again', () => {
    const { bench, last } = crowded({ swap: true }, 8);
    const { computedCount } = last.sequences[0]!;
    expect(computedCount).toBeGreaterThan(8);
    while (last.state === 'waiting') bench.step();
    expect(last.sequences[0]!.computedCount).toBe(computedCount + 1);
  });

  test('a full host tier falls back to computing again', () => {
    const { last } = crowded({ swap: true }, 1);
    expect(last.image).toBeUndefined();
    expect(last.epoch).toBe(1);
  });

  test('a group whose result is on its way does not start again before it is read', () => {
    const { bench, first, last } = crowded();
    bench.scheduler.remove(first);
    last.sequences[0]!.inFlightCount = 1;
    expect(bench.step().reason).toBe('blocks');
    last.sequences[0]!.inFlightCount = 0;
    bench.step();
    expect(last.state).toBe('running');
  });

  test('the first in rank is never preempted, guaranteed_no_evict never preempts', () => {
    const bench = new Bench({}, 8);
    bench.add('first', 8, 16);
    bench.add('last', 8, 16);
    while (bench.finished.length < 2) expect(bench.step().preempted).toBe(0);
  });
});

describe('prompt scores', () => {
  test('ask for every prompt position once, also when the prompt is computed twice', () => {
    const bench = new Bench({ policy: 'max_utilization', maxStepLogits: 5 }, 8);
    bench.add('first', 8, 16);
    const scored = bench.add('scored', 12, 8, { scoresPrompt: true });
    const positions: number[] = [];
    const plan = bench.scheduler.plan.bind(bench.scheduler);
    bench.scheduler.plan = () => {
      const planned = plan();
      const rows = planned.prefillRows;
      for (let i = 0; i < rows.length; i++)
        for (let k = 0; k < rows.scoreCounts.at(i); k++) positions.push(rows.starts.at(i) + k);
      return planned;
    };
    while (bench.finished.length < 2) bench.step();
    expect(scored.epoch).toBeGreaterThan(0);
    expect(positions).toEqual(Array.from({ length: 11 }, (_, i) => i));
  });
});

describe('ends', () => {
  test('a removed group gives everything back, waiting or running or swapped out', () => {
    const bench = new Bench({ policy: 'max_utilization', swap: true }, 8, 8);
    const groups = ['a', 'b', 'c'].map((id) => bench.add(id, 8, 16));
    while (bench.step().preempted === 0) continue;
    for (const group of groups) bench.scheduler.remove(group);
    for (const group of groups) bench.scheduler.remove(group);
    expect([bench.scheduler.runningCount, bench.scheduler.waitingCount]).toEqual([0, 0]);
    expect(bench.kv.freeCount).toBe(8);
    bench.step();
  });

  test('queue timeouts count until the first schedule, deadlines always', () => {
    const bench = new Bench({ maxSequenceCount: 1 });
    const a = bench.add('a', 1, 20, { startBeforeMs: 5, endBeforeMs: 50 });
    const b = bench.add('b', 1, 20, { startBeforeMs: 10 });
    bench.step();
    expect(bench.scheduler.expired(9)).toEqual([]);
    expect(bench.scheduler.expired(10)).toEqual([b]);
    bench.scheduler.remove(b);
    expect(bench.scheduler.expired(49)).toEqual([]);
    expect(bench.scheduler.expired(50)).toEqual([a]);
  });
});
