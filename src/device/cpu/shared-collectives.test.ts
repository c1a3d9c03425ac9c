import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { createSharedMemory } from '../../ffi/shared-memory.js';
import {
  type CollectiveResult,
  type CollectiveTask,
  describeCollectives,
} from '../testing/collective-suite.js';
import { RankGroup, rankGroupBytes } from './rank-group.js';

const PROCESS = fileURLToPath(new URL('./testing/collective-process.js', import.meta.url));

/** A rank that is given no tasks; `afterStart` decides what becomes of it. */
interface Absent {
  readonly rank: number;
  readonly afterStart: (process: ChildProcess) => void;
}

/** Runs one process for each list of tasks. */
async function runRanks(
  lists: readonly (readonly CollectiveTask[])[],
  absent?: Absent,
): Promise<CollectiveResult[][]> {
  const rankCount = lists.length;
  const memory = createSharedMemory('aloft-test', rankGroupBytes(rankCount));
  const group = new RankGroup(memory.area.address, { rank: 0, rankCount });
  const processes = lists.map((_, rank) => {
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
      new Promise<CollectiveResult[]>((resolve) => {
        started.once('message', (result) => resolve(result as CollectiveResult[]));
        if (rank === absent?.rank) resolve([]);
        else started.send({ rank, rankCount, patienceMs: 1500, tasks: lists[rank]! });
      }),
  );
  if (absent !== undefined) absent.afterStart(processes[absent.rank]!);
  const all = await Promise.all(results);
  for (const started of processes) started.kill('SIGKILL');
  group.dispose();
  memory.dispose();
  return all;
}

describeCollectives('shared memory', {
  rankCounts: [2, 4],
  // A buffer holds 65,536 numbers.
  counts: [1, 17, 4096, 65_536, 150_001],
  stored: Math.fround,
  keepsNegativeZero: true,
  run: (tasks) => runRanks(tasks),
});

describe.each([2, 4])('%i ranks of shared memory', (rankCount) => {
  const ranks = Array.from({ length: rankCount }, (_, rank) => rank);
  const ones = ranks.map(() => [{ values: Float32Array.of(1) }]);

  test('keep -0, infinities and what is no number', async () => {
    const parts = ranks.map((rank) =>
      Float32Array.of(
        -0,
        rank === 1 ? Infinity : 1,
        rank === 0 ? NaN : 1,
        rank % 2 === 0 ? Infinity : -Infinity,
      ),
    );
    const results = await runRanks(parts.map((values) => [{ values }]));
    for (const [result] of results) expect([...result!.values!]).toEqual([-0, Infinity, NaN, NaN]);
  });

  test('keep subnormals of f32', async () => {
    const results = await runRanks(ranks.map(() => [{ values: Float32Array.of(1e-45, -1.1e-38) }]));
    const expected = [1e-45, -1.1e-38].map((value) => Math.fround(Math.fround(value) * rankCount));
    for (const [result] of results) expect([...result!.values!]).toEqual(expected);
  });

  test('end with a code when one is killed while they wait for it', async () => {
    const killed = rankCount - 1;
    const afterStart = (started: ChildProcess) => started.kill('SIGKILL');
    const results = await runRanks(ones, { rank: killed, afterStart });
    for (const [result] of results.slice(0, -1))
      expect(result!.error).toMatchObject({
        code: 'RANK_DIED',
        message: expect.stringContaining(`Rank ${killed} of`) as string,
      });
  });

  test('end with a code when one does not come', async () => {
    const results = await runRanks(ones, { rank: 0, afterStart: () => undefined });
    for (const [result] of results.slice(1))
      expect(result!.error).toMatchObject({
        code: 'RANK_LATE',
        message: expect.stringContaining('Rank 0 of') as string,
      });
  });

  test('end with a code when one exchanges something else', async () => {
    const results = await runRanks(ranks.map((rank) => [{ values: new Float32Array(rank === 1 ? 3 : 4) }]));
    expect(results.map(([result]) => result!.error?.code)).toEqual(ranks.map(() => 'RANK_DIVERGED'));
  });
});
