import { beforeAll, describe, expect, test } from 'vitest';
import { SYSTEM_CLOCK } from '../../../core/clock.js';
import type { TokenRequest } from '../../../core/request.js';
import type { Executor } from '../../executor/executor.js';
import { BATCHING_TYPES, SCHEDULER_POLICIES } from '../../../core/engine-options.js';
import { Batcher } from '../batcher.js';
import { type BatcherOptions, DEFAULT_BATCHER_OPTIONS } from '../batcher-options.js';
import { expectNearlySame, type NearTies, withMargins } from './near-ties.js';
import { type OutcomeCollector, runToEnd } from './outcome.js';

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
  /** Every way of running, or only those that differ most. */
  readonly ways: 'all' | 'essential';
  /** Allowed differences where kernels round by the size of a step. Default: none, all bits are the same. */
  readonly nearTies?: NearTies;
}

type Way = Partial<BatcherOptions> & { readonly memory?: Partial<GoldenMemory> };

/**
 * Invariant 9 for one executor: what a request is answered depends on nothing but the request. Every request is run
 * alone in the plainest way first; then all together in every way that the batcher knows. With `nearTies`, answers may part
 * where two tokens are almost equally likely, and the same way run again must still give the same bits.
 */
export function defineGoldenSuite(setup: GoldenSetup): void {
  const ways =
    setup.ways === 'all' ? [...batchingWays(setup), ...memoryWays(setup)] : memoryWays(setup).slice(0, 4);

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

    test.each(ways)('%s', async (name, way) => {
      const { requests, nearTies } = setup;
      const together = await runTogether(setup, way);
      if (nearTies === undefined) {
        expectSame(requests, together, alone);
        return;
      }
      expectNearlySame(`${setup.name}, ${name}`, { requests, together, alone }, nearTies);
      expectSame(requests, await runTogether(setup, way), together);
    });
  });
}

/** Every request at once; what must hold of any run is checked on the way. */
async function runTogether(setup: GoldenSetup, way: Way): Promise<readonly OutcomeCollector[]> {
  const { memory, ...options } = way;
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
  for (const [i, request] of setup.requests.entries()) expect(together[i]!.faults, request.id).toEqual([]);
  expect(batcher.kv.freeCount + batcher.kv.cachedCount).toBe(batcher.kv.blockCount);
  if (memory !== undefined && options.policy === 'max_utilization')
    expect(preemptionCount).toBeGreaterThan(0);
  return together;
}

function expectSame(
  requests: readonly TokenRequest[],
  actual: readonly OutcomeCollector[],
  expected: readonly OutcomeCollector[],
): void {
  for (const [i, request] of requests.entries())
    expect(actual[i]!.outcome, request.id).toEqual(expected[i]!.outcome);
}

async function runAlone(setup: GoldenSetup): Promise<readonly OutcomeCollector[]> {
  const options = { ...DEFAULT_BATCHER_OPTIONS, overlap: false, prefixReuse: false };
  const executor = await setup.openExecutor({ blockCount: setup.ampleBlockCount, hostBlockCount: 0 });
  const batcher = new Batcher(executor, options, SYSTEM_CLOCK);
  const requests = setup.nearTies === undefined ? setup.requests : setup.requests.map(withMargins);
  const outcomes: OutcomeCollector[] = [];
  for (const request of requests) outcomes.push(...(await runToEnd(batcher, [request])));
  await executor.dispose();
  return outcomes;
}

type NamedWay = readonly [string, Way];

const tight = ({ tightBlockCount }: GoldenSetup) => ({ memory: { blockCount: tightBlockCount } });
const roomyHost = ({ tightBlockCount }: GoldenSetup) => ({
  memory: { blockCount: tightBlockCount, hostBlockCount: 4 * tightBlockCount },
});

function batchingWays(setup: GoldenSetup): NamedWay[] {
  return BATCHING_TYPES.flatMap((batchingType) =>
    SCHEDULER_POLICIES.flatMap((policy) =>
      [true, false].map((overlap): NamedWay => {
        const name = `${batchingType}, ${policy}, ${overlap ? 'overlapped' : 'plain'}`;
        return [name, { batchingType, policy, overlap, ...tight(setup) }];
      }),
    ),
  );
}

/** The first few differ most: chunks, preemption with and without swap, no reuse. */
function memoryWays(setup: GoldenSetup): NamedWay[] {
  const policy = 'max_utilization';
  const { smallStepTokens, tightBlockCount } = setup;
  return [
    ['without prefix reuse', { prefixReuse: false }],
    ['middle chunks, preempted', { maxStepTokens: 2 * smallStepTokens + 3, policy, ...tight(setup) }],
    ['swapped, overlapped', { policy, ...roomyHost(setup) }],
    ['small chunks, plain', { maxStepTokens: smallStepTokens, overlap: false }],
    ['without prefix reuse, preempted', { prefixReuse: false, policy, ...tight(setup) }],
    ['swapped, plain', { policy, overlap: false, ...roomyHost(setup) }],
    ['swapped, without prefix reuse', { policy, prefixReuse: false, ...roomyHost(setup) }],
    ['host tier for evicted blocks only', { policy, swap: false, ...roomyHost(setup) }],
    ['a small host tier', { policy, memory: { blockCount: tightBlockCount, hostBlockCount: 5 } }],
    ['few slots', { maxSequenceCount: 5 }],
  ];
}
