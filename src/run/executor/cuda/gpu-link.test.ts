/** A rank whose GPU computes nothing, connected with a rank that does not exist: what it decides, enqueues and refuses. */
import { hostname } from 'node:os';
import { afterAll, describe, expect, test } from 'vitest';
import { benchmarkPlan } from '../../../builder/testing/benchmark-plans.js';
import { namedShape } from '../../../builder/random-weights/shapes.js';
import { buildStep } from '../../../core/build-step.js';
import { GREEDY } from '../../../core/sampling.js';
import { RankError, type RankGroup } from '../../../device/cpu/rank-group.js';
import type { StepInput } from '../../../core/step.js';
import { prepareCudaExecutor } from './cuda-executor.js';
import type { CudaExecutorOptions } from './cuda-executor-options.js';
import { decodeCard, encodeCard, type RankCard } from './rank-card.js';
import { fakeOptions } from './testing/fake-executor.js';
import { createFakeLibraries, createFakeGpu } from './testing/fake-gpu.js';

const libraries = createFakeLibraries();
afterAll(() => libraries.dispose());

const MARK = 0x1a10f7;
const CARD_BYTES = encodeCard({ host: '', uuid: 'GPU-0', byteLength: 0, handle: undefined }).byteLength;
const shape = { ...namedShape('tinyllama_1b'), num_hidden_layers: 2 };
const plan = benchmarkPlan({ shape, dtype: 'f16', weights: 'int8', ranks: { rank: 0, worldSize: 2 } });
const UNITS = ['common', 'attention', 'sample', 'linear-int8', 'linear-dense'];

/** Rank 0 of two; the other one answers as this one does, from a GPU of its own. */
function groupOf(other: Partial<RankCard>): RankGroup {
  const twin = (own: Uint8Array): Uint8Array =>
    own.byteLength === CARD_BYTES ? encodeCard({ ...decodeCard(own), ...other }) : own;
  const group = {
    rank: 0,
    rankCount: 2,
    patienceMs: 1000,
    exchange: (own: Uint8Array) => [own, twin(own)],
    fail: (fault: 'RANK_LATE', rank: number) => new RankError(fault, rank, `Rank ${rank} is late`),
  };
  return group as unknown as RankGroup;
}

function open(
  more: Partial<CudaExecutorOptions> = {},
  { otherUuid = 'GPU-other', arePeersReached = true, otherHost = hostname() } = {},
) {
  const { gpu, ...fake } = createFakeGpu(90);
  const download = (_: number, target: Uint32Array): void => {
    if (arePeersReached) target.set([MARK, MARK + 1, MARK, MARK]);
  };
  const announced: StepInput[] = [];
  const prepared = prepareCudaExecutor({
    plan,
    gpu: Object.assign(gpu, { download }),
    ...fakeOptions(libraries.folder, UNITS),
    ...more,
  });
  const executor = prepared.open({
    blockCount: 7,
    group: groupOf({ uuid: otherUuid, host: otherHost }),
    announce: (step) => announced.push(step),
  });
  return { ...fake, executor, announced };
}

describe('a rank on a GPU', () => {
  test('has as many blocks as the ranks agreed on, and names GPUs and the way between them', () => {
    const { executor } = open();
    expect(executor.limits.blockCount).toBe(7);
    expect(executor.deviceName).toMatch(
      /; rank 0 on GPU-fake, rank 1 on GPU-other; sums of up to 128 rows in one shot over peer memory, of more in two \(timed, us in one and in two: 8 rows 400\.0 and 400\.0/,
    );
  });

  test('takes one shot for as many rows as asked, in whole classes', () => {
    expect(open({ oneShotRows: 70 }).executor.deviceName).toMatch(
      /sums of up to 64 rows in one shot .*\(as asked\)$/,
    );
    expect(open({ oneShotRows: 7 }).executor.deviceName).toMatch(/sums of up to 0 rows in one shot/);
  });

  test('times no sums where ranks share a GPU', () => {
    expect(open({ shareGpu: true }, { otherUuid: 'GPU-fake' }).executor.deviceName).toMatch(
      /sums of up to 128 rows in one shot .*\(not timed\)$/,
    );
  });

  test('announces a step before it enqueues anything, and says how it was launched', async () => {
    const { executor, calls, announced } = open();
    executor.attachSlot({
      slot: 0,
      sampling: GREEDY,
      isBeam: false,
      endIds: [],
      promptTokenIds: Int32Array.of(1),
      outputTokenIds: Int32Array.of(4),
    });
    const first = calls.length;
    const step = buildStep([{ slot: 0, tokenIds: [-1], firstPosition: 40, blocks: [0, 1, 2] }]);
    executor.submit(step);
    await executor.collect();
    expect(announced).toEqual([step]);
    // The 19 launches of a step of one rank, the sum that no norm takes, the gather of logits, and the way of tokens.
    expect(calls.slice(first).filter((call) => call === 'cuLaunchKernelEx')).toHaveLength(1 + 2 * 7 + 5 + 3);
    expect(executor.launch).toBe(1);
    executor.submit(buildStep([{ slot: 0, tokenIds: [5, 6], firstPosition: 41, blocks: [0, 1, 2] }]));
    expect(executor.launch).toBe(-2);
  });

  test('fails steps in which it waited for another rank in vain, with the name of that rank', async () => {
    const { executor, pinned } = open();
    executor.submit(buildStep([]));
    new Uint32Array(pinned[0]!.buffer)[1] = 2; // as a kernel does at its deadline
    expect(() => executor.checkDevice!()).toThrowError(/Rank 1 is late/);
    await expect(executor.collect()).rejects.toMatchObject({ code: 'RANK_LATE' });
  });

  test('ends waits on the device by a word in the host memory', () => {
    const { executor, pinned } = open();
    executor.stopWaiting!();
    expect(new Uint32Array(pinned[0]!.buffer)[0]).toBe(1);
  });

  test('takes NCCL where stores into the memory of another GPU are lost', async () => {
    const { executor, calls } = open({}, { arePeersReached: false });
    expect(executor.deviceName).toMatch(/; sums by NCCL 2\.28\.3 \(stores .* are lost, says rank 0\)$/);
    expect(open({ collectives: 'nccl' }).executor.deviceName).toMatch(/NCCL 2\.28\.3 \(as asked\)$/);
    executor.attachSlot({
      slot: 0,
      sampling: GREEDY,
      isBeam: false,
      endIds: [],
      promptTokenIds: Int32Array.of(1, 2),
      outputTokenIds: new Int32Array(0),
    });
    const first = calls.length;
    executor.submit(buildStep([{ slot: 0, tokenIds: [1, 2], firstPosition: 0, blocks: [0] }]));
    await executor.collect();
    // Norms and rotations come by themselves, sums and tokens by the library; a kernel places what it gathers.
    expect(calls.slice(first).filter((call) => call === 'cuLaunchKernelEx')).toHaveLength(1 + 2 * 8 + 5 + 1);
  });

  test('takes NCCL where another rank is on another host, and maps nothing of it', () => {
    const { executor, calls } = open({}, { otherHost: 'elsewhere' });
    expect(executor.deviceName).toMatch(/; sums by NCCL 2\.28\.3 \(rank 1 is on another host than rank 0\)$/);
    expect(calls).not.toContain('cuIpcOpenMemHandle_v2');
  });

  test('does not share its GPU unasked', () => {
    expect(() => open({}, { otherUuid: 'GPU-fake' })).toThrowError(/^Ranks 0 and 1 are on the same GPU/);
    expect(open({ shareGpu: true }, { otherUuid: 'GPU-fake' }).executor.deviceName).toMatch(
      /rank 1 on GPU-fake/,
    );
  });
});
