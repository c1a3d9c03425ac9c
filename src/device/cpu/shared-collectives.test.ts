import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../core/random.js';
import { createSharedMemory } from '../../ffi/shared-memory.js';
import { RankGroup, rankGroupBytes } from './rank-group.js';
import type { CollectiveResult, CollectiveTask } from './testing/collective-process.js';

const PROCESS = fileURLToPath(new URL('./testing/collective-process.js', import.meta.url));

type Task = Pick<CollectiveTask, 'values' | 'gather'>;

/**
 * Runs one process for each task.
 * @param absent rank that is never given its task; `afterStart` decides what becomes of it
 */
async function runRanks(
  tasks: readonly Task[],
  absent?: number,
  afterStart: (process: ChildProcess) => void = () => undefined,
): Promise<CollectiveResult[]> {
  const rankCount = tasks.length;
  const memory = createSharedMemory('aloft-test', rankGroupBytes(rankCount));
  const group = new RankGroup(memory.area.address, { rank: 0, rankCount });
  const processes = tasks.map((_, rank) => {
    const started = fork(PROCESS, [], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc', memory.descriptor],
      serialization: 'advanced',
      execArgv: [],
    });
    group.register(rank, started.pid!);
    return started;
  });
  const results = processes.map(
    (started, rank) =>
      new Promise<CollectiveResult>((resolve) => {
        started.once('message', (result) => resolve(result as CollectiveResult));
        if (rank === absent) resolve({});
        else started.send({ rank, rankCount, patienceMs: 1500, ...tasks[rank]! });
      }),
  );
  if (absent !== undefined) afterStart(processes[absent]!);
  const all = await Promise.all(results);
  for (const started of processes) started.kill('SIGKILL');
  group.dispose();
  memory.dispose();
  return all;
}

/** Whether all have the same bits; comparing numbers one by one would be slow, and equal for 0 and -0. */
function haveBits(results: readonly CollectiveResult[], expected: Float32Array): boolean {
  const bytes = ({ buffer, byteOffset, byteLength }: Float32Array) =>
    Buffer.from(buffer, byteOffset, byteLength);
  return results.every(({ values }) => values !== undefined && bytes(values).equals(bytes(expected)));
}

/** Sum in the order of ranks, rounded to f32 after every addition. */
function sumInOrder(parts: readonly Float32Array[]): Float32Array {
  return parts[0]!.map((first, i) =>
    parts.slice(1).reduce((sum, part) => Math.fround(sum + part[i]!), first),
  );
}

/** Values that sums in another order or flushed subnormals would change. */
function oddValues(count: number, seed: number): Float32Array {
  const special = [-0, 0, 1e-45, -1e-45, 1.1e-38, -1.17e-38, 3e38, -3e38, 2 ** 24, 1, -1];
  const random = seededRandom(seed);
  return Float32Array.from({ length: count }, (_, i) =>
    i < 400 ? special[Math.floor(random.next() * special.length)]! : (random.next() - 0.5) * 10 ** (i % 9),
  );
}

describe.each([2, 4])('%i ranks', (rankCount) => {
  const ranks = Array.from({ length: rankCount }, (_, rank) => rank);

  // A buffer holds 65,536 numbers.
  test.each([1, 17, 4096, 65_536, 150_001])(
    'sum %i numbers to the same bits on each, in order',
    async (count) => {
      const parts = ranks.map((rank) => oddValues(count, rank + 1));
      const results = await runRanks(parts.map((values) => ({ values })));
      expect(haveBits(results, sumInOrder(parts))).toBe(true);
    },
  );

  test('keep -0, infinities and what is no number', async () => {
    const parts = ranks.map((rank) =>
      Float32Array.of(
        -0,
        rank === 1 ? Infinity : 1,
        rank === 0 ? NaN : 1,
        rank % 2 === 0 ? Infinity : -Infinity,
      ),
    );
    const results = await runRanks(parts.map((values) => ({ values })));
    for (const { values } of results) expect([...values!]).toEqual([-0, Infinity, NaN, NaN]);
  });

  test.each([
    [1, 51, 101],
    [3, 7, 7 * rankCount],
    [2, 40_000, 40_000 * rankCount - 3],
  ])('put %i rows of %i columns side by side, cut to %i', async (rowCount, columnCount, wanted) => {
    const outColumnCount = Math.min(wanted, columnCount * rankCount);
    const gather = { rowCount, columnCount, outColumnCount };
    const parts = ranks.map((rank) => oddValues(rowCount * columnCount, rank + 7));
    const results = await runRanks(parts.map((values) => ({ values, gather })));
    const expected = Float32Array.from({ length: rowCount * outColumnCount }, (_, i) => {
      const [row, column] = [Math.floor(i / outColumnCount), i % outColumnCount];
      return parts[Math.floor(column / columnCount)]![row * columnCount + (column % columnCount)]!;
    });
    expect(haveBits(results, expected)).toBe(true);
  });

  test('end with a code when one is killed while they wait for it', async () => {
    const killed = rankCount - 1;
    const results = await runRanks(
      ranks.map(() => ({ values: Float32Array.of(1) })),
      killed,
      (started) => started.kill('SIGKILL'),
    );
    for (const { error } of results.slice(0, -1))
      expect(error).toMatchObject({
        code: 'RANK_DIED',
        message: expect.stringContaining(`Rank ${killed} of`) as string,
      });
  });

  test('end with a code when one does not come', async () => {
    const results = await runRanks(
      ranks.map(() => ({ values: Float32Array.of(1) })),
      0,
    );
    for (const { error } of results.slice(1))
      expect(error).toMatchObject({
        code: 'RANK_LATE',
        message: expect.stringContaining('Rank 0 of') as string,
      });
  });

  test('end with a code when one exchanges something else', async () => {
    const results = await runRanks(ranks.map((rank) => ({ values: new Float32Array(rank === 1 ? 3 : 4) })));
    expect(results.map(({ error }) => error?.code)).toEqual(ranks.map(() => 'RANK_DIVERGED'));
  });
});
