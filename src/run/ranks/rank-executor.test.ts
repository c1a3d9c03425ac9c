import { afterEach, describe, expect, test } from 'vitest';
import { buildStep } from '../../core/build-step.js';
import { GREEDY } from '../../core/sampling.js';
import { randomRanks } from '../../builder/testing/random-ranks.js';
import type { ErrorReport } from '../../core/errors.js';
import { describeExecutor } from '../executor/testing/conformance.js';
import { LIMITS } from '../executor/testing/conformance-driver.js';
import { ReferenceExecutor } from '../executor/reference/reference-executor.js';
import type { Executor } from '../executor/executor.js';
import { openRanks } from './open-ranks.js';
import { type OpenRanks, RankExecutor } from './rank-executor.js';
import type { RandomRankOptions } from './testing/random-rank.js';

const RANK_URL = new URL('./testing/random-rank.js', import.meta.url).href;

function open(worldSize: number, changes: Partial<RandomRankOptions> = {}): Promise<RankExecutor> {
  const rankOptions: RandomRankOptions = { limits: LIMITS, ...changes };
  return openRanks({ worldSize, rankUrl: RANK_URL, rankOptions });
}

describeExecutor('two CPU ranks', { tolerance: 0, create: (limits, fault) => open(2, { limits, fault }) });

const opened: Executor[] = [];
afterEach(async () => {
  for (const executor of opened.splice(0)) await executor.dispose();
});

async function openTracked(worldSize: number, changes?: Partial<RandomRankOptions>): Promise<RankExecutor> {
  const executor = await open(worldSize, changes);
  opened.push(executor);
  return executor;
}

const PROMPT = [7, 3, 50, 9, 99];

function attach(executor: Executor): void {
  executor.attachSlot({
    slot: 0,
    sampling: GREEDY,
    isBeam: false,
    endIds: [],
    promptTokenIds: Int32Array.from(PROMPT),
    outputTokenIds: new Int32Array(0),
  });
}

/** Greedy tokens after the prompt; every step but the first feeds back what was sampled, and is submitted before it is read. */
async function greedy(executor: Executor, count: number): Promise<number[]> {
  attach(executor);
  const tokens: number[] = [];
  const submit = (i: number): void => {
    const tokenIds = i === 0 ? PROMPT : [-1];
    const firstPosition = i === 0 ? 0 : PROMPT.length + i - 1;
    executor.submit(buildStep([{ slot: 0, tokenIds, firstPosition, blocks: [0, 1, 2, 3] }], { stepId: i }));
  };
  submit(0);
  for (let i = 1; i <= count; i++) {
    if (i < count) submit(i);
    tokens.push((await executor.collect()).tokenIds[0]!);
  }
  return tokens;
}

describe('ranks of one host', () => {
  test.each([2, 4])(
    '%i ranks give the tokens of the scalar reference, with a step ahead',
    async (worldSize) => {
      const [first, ...otherRanks] = randomRanks(worldSize);
      const reference = new ReferenceExecutor({ ...first!, otherRanks, limits: LIMITS, kvDtype: 'f32' });
      expect(await greedy(await openTracked(worldSize), 20)).toEqual(await greedy(reference, 20));
    },
  );

  test('each rank gives the times of its ops since it was asked before, if they are profiled', async () => {
    const rankOptions: RandomRankOptions = { limits: LIMITS };
    const executor = await openRanks({ worldSize: 2, rankUrl: RANK_URL, rankOptions, isProfiled: true });
    opened.push(executor);
    const opCount = randomRanks(2)[0]!.plan.ops.length + 1;
    const take = () => executor.takeRankTimes!(opCount).map((times) => times.filter((ms) => ms > 0).length);
    expect(take()).toEqual([0]);
    await greedy(executor, 2);
    expect(take()[0]).toBeGreaterThan(opCount / 2);
    expect(take()).toEqual([0]);
    expect((await openTracked(2)).takeRankTimes).toBeUndefined();
  });

  test('the cache has as many blocks as the smallest rank has room for', async () => {
    const executor = await openTracked(2, { smallRank: 1 });
    expect(executor.limits.blockCount).toBe(LIMITS.blockCount - 1);
  });

  test.each([0, 1])('a failure to prepare rank %i is the one error of opening', async (failingRank) => {
    await expect(open(2, { failingRank })).rejects.toThrow(`rank ${failingRank} was asked to fail`);
  });

  test('a rank that has another engine is refused', async () => {
    await expect(open(2, { oddRank: 1 })).rejects.toMatchObject({
      code: 'RANK_DIVERGED',
      message: expect.stringMatching(/^Rank 1 \(process \d+\) has another engine/) as string,
    });
  });

  test('a rank that is killed while nothing runs fails the group at once, and all others end', async () => {
    const executor = await openTracked(4);
    const failed = new Promise<ErrorReport>((resolve) => executor.onFailure(resolve));
    process.kill(executor.pids[1]!, 'SIGKILL');
    const failure = await failed;
    expect(failure).toEqual({
      code: 'RANK_DIED',
      message: expect.stringMatching(/^Rank 2 of 4 \(process \d+\) was ended by SIGKILL/) as string,
    });
    await executor.dispose();
    expect(executor.pids.filter(isRunning)).toEqual([]);
    expect(() => attach(executor)).toThrowError(failure.message);
  });

  test('a rank that is killed during a step ends it with a code', async () => {
    const executor = await openTracked(2);
    attach(executor);
    process.kill(executor.pids[0]!, 'SIGKILL');
    const step = buildStep([{ slot: 0, tokenIds: PROMPT, firstPosition: 0, blocks: [0, 1] }]);
    expect(() => executor.submit(step)).toThrowError(expect.objectContaining({ code: 'RANK_DIED' }) as Error);
    await expect(executor.collect()).rejects.toMatchObject({ code: 'RANK_DIED' });
  });

  test('a step without its masks gets some before the other ranks are asked to end, as they may wait for its tokens', async () => {
    const calls: string[] = [];
    const note = (call: string) => () => void calls.push(call);
    const broadcast = { attach: note('attach'), close: note('close'), finish: note('sent'), isInStep: false };
    const [model] = randomRanks(1);
    const leader = new ReferenceExecutor({ ...model!, limits: LIMITS, kvDtype: 'f32' });
    const supply = leader.supplyMasks.bind(leader);
    leader.supplyMasks = (stepId, masks) => {
      supply(stepId, masks);
      calls.push(`masks of ${stepId}`);
    };
    const ranks = {
      leader,
      rankMemory: [leader.memory],
      processes: [],
      broadcast,
      group: { dispose: note('group') },
      memory: { dispose: note('memory') },
      isProfiled: false,
    };
    const executor = new RankExecutor(ranks as unknown as OpenRanks);
    attach(executor);
    const mask = new Int32Array(Math.ceil(executor.limits.vocabulary / 32));
    const wanted = [{ index: PROMPT.length - 1, target: -1, mask }];
    const step = buildStep([{ slot: 0, tokenIds: PROMPT, firstPosition: 0, blocks: [0, 1], wanted }], {
      stepId: 5,
    });
    executor.submit({ ...step, masksFollow: true });
    await executor.dispose();
    expect(calls).toEqual(['attach', 'sent', 'masks of 5', 'close', 'group', 'memory']);
  });

  test('a rank that is stopped is late, and ended', async () => {
    const executor = await openTracked(2);
    attach(executor);
    process.kill(executor.pids[0]!, 'SIGSTOP');
    const step = buildStep([{ slot: 0, tokenIds: PROMPT, firstPosition: 0, blocks: [0, 1] }]);
    expect(() => executor.submit(step)).toThrowError(expect.objectContaining({ code: 'RANK_LATE' }) as Error);
    await executor.dispose();
    expect(executor.pids.filter(isRunning)).toEqual([]);
  });
});

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
