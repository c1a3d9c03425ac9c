import { beforeAll, describe, expect, test } from 'vitest';
import { SYSTEM_CLOCK } from '../../../core/clock.js';
import type { TokenRequest } from '../../../core/request.js';
import type { Executor } from '../../executor/executor.js';
import { BATCHING_TYPES, SCHEDULER_POLICIES } from '../../scheduler/scheduler-limits.js';
import { Batcher } from '../batcher.js';
import { type BatcherOptions, DEFAULT_BATCHER_OPTIONS } from '../batcher-options.js';
import { comparable, type OutcomeCollector, runToEnd } from './outcome.js';

/** Memory that a golden run gives the executor. */
export interface GoldenMemory {
  readonly blockCount: number;
  readonly hostBlockCount: number;
}

export interface GoldenSetup {
  readonly name: string;
  openExecutor(memory: GoldenMemory): Promise<Executor>;
  readonly requests: readonly TokenRequest[];
  /** Blocks for everything at once, and so few that the largest request just fits. */
  readonly ampleBlockCount: number;
  readonly tightBlockCount: number;
  /** Smallest step that still has a token for every slot. */
  readonly smallStepTokens: number;
}

type Run = Partial<BatcherOptions> & { readonly memory?: Partial<GoldenMemory> };

/**
 * Invariant 9 for one executor: what a request is answered depends on nothing but the request. Every request is run
 * alone in the plainest way first; then all together in every way that the batcher knows.
 */
export function defineGoldenSuite(setup: GoldenSetup): void {
  const tight = { memory: { blockCount: setup.tightBlockCount } };
  const swap = { memory: { blockCount: setup.tightBlockCount, hostBlockCount: 4 * setup.tightBlockCount } };
  const runs: readonly (readonly [string, Run])[] = [
    ...BATCHING_TYPES.flatMap((batchingType) =>
      SCHEDULER_POLICIES.flatMap((policy) =>
        [true, false].map(
          (overlap) =>
            [
              `${batchingType}, ${policy}, ${overlap ? 'overlapped' : 'plain'}`,
              { batchingType, policy, overlap, ...tight },
            ] as const,
        ),
      ),
    ),
    ['without prefix reuse', { prefixReuse: false }],
    ['without prefix reuse, preempted', { prefixReuse: false, policy: 'max_utilization', ...tight }],
    ['small chunks', { maxStepTokens: setup.smallStepTokens }],
    [
      'middle chunks, preempted',
      { maxStepTokens: 2 * setup.smallStepTokens + 3, policy: 'max_utilization', ...tight },
    ],
    ['swapped, overlapped', { policy: 'max_utilization', ...swap }],
    ['swapped, plain', { policy: 'max_utilization', overlap: false, ...swap }],
    ['swapped, without prefix reuse', { policy: 'max_utilization', prefixReuse: false, ...swap }],
    ['host tier for evicted blocks only', { policy: 'max_utilization', swap: false, ...swap }],
    ['a small host tier', { policy: 'max_utilization', memory: { ...swap.memory, hostBlockCount: 5 } }],
    ['few slots', { maxSequenceCount: 5 }],
  ];

  describe(`golden: ${setup.name}`, () => {
    let alone: readonly OutcomeCollector[] = [];
    beforeAll(async () => {
      alone = await runAlone(setup);
    });

    test('every request alone is answered', () => {
      expect(alone.flatMap(({ faults }) => faults)).toEqual([]);
      expect(alone.filter(({ outcome }) => outcome.error !== undefined)).toEqual([]);
      expect(alone.filter(({ outcome }) => outcome.sequences.size === 0)).toEqual([]);
    });

    test.each(runs)('%s', async (_, run) => {
      const { memory, ...options } = run;
      const executor = await setup.openExecutor({
        blockCount: setup.ampleBlockCount,
        hostBlockCount: 0,
        ...memory,
      });
      const batcher = new Batcher(executor, { ...DEFAULT_BATCHER_OPTIONS, ...options }, SYSTEM_CLOCK);
      let preemptionCount = 0;
      batcher.onStep((stats) => (preemptionCount += stats.preemptionCount));
      const together = await runToEnd(batcher, setup.requests);
      await executor.dispose();
      for (const [i, request] of setup.requests.entries()) {
        expect(together[i]!.faults, request.id).toEqual([]);
        expect(comparable(together[i]!.outcome), request.id).toEqual(comparable(alone[i]!.outcome));
      }
      expect(batcher.kv.freeCount + batcher.kv.cachedCount).toBe(batcher.kv.blockCount);
      if (memory !== undefined && options.policy === 'max_utilization')
        expect(preemptionCount).toBeGreaterThan(0);
    });
  });
}

async function runAlone(setup: GoldenSetup): Promise<readonly OutcomeCollector[]> {
  const options = { ...DEFAULT_BATCHER_OPTIONS, overlap: false, prefixReuse: false };
  const executor = await setup.openExecutor({ blockCount: setup.ampleBlockCount, hostBlockCount: 0 });
  const batcher = new Batcher(executor, options, SYSTEM_CLOCK);
  const outcomes: OutcomeCollector[] = [];
  for (const request of setup.requests) outcomes.push(...(await runToEnd(batcher, [request])));
  await executor.dispose();
  return outcomes;
}
