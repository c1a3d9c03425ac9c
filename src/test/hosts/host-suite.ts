/** What holds for ranks of one host holds for four on two. Rank 0 is this process, which mpirun started (see vitest.hosts.config.mjs). */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { type CollectiveResult, describeCollectives } from '../../device/testing/collective-suite.js';
import { describeExecutor } from '../../run/executor/testing/conformance.js';
import { LIMITS } from '../../run/executor/testing/conformance-driver.js';
import { joinHosts } from '../../run/ranks/hosts/join-hosts.js';
import { showLife } from '../../run/ranks/job.js';
import { openRanks } from '../../run/ranks/open-ranks.js';
import type { RankExecutor } from '../../run/ranks/rank-executor.js';
import type { RandomRankOptions } from '../../run/ranks/testing/random-rank.js';
import { jobPlace } from '../../tools/cli/job-place.js';
import {
  type ExchangingRankOptions,
  readResults,
  resultFile,
  taskFile,
  writeTasks,
} from './exchanging-rank.js';

const RANDOM_RANK = new URL('../../run/ranks/testing/random-rank.js', import.meta.url).href;
const EXCHANGING_RANK = new URL('./exchanging-rank.js', import.meta.url).href;

const place = jobPlace(process.env)!;
const { worldSize } = place;
const leave = await joinHosts(place);
const untilFollowed = await showLife(place);
const directory = mkdtempSync(join(tmpdir(), 'aloft-hosts-'));
afterAll(async () => {
  rmSync(directory, { recursive: true });
  await untilFollowed();
  await leave();
});

const open = (options: RandomRankOptions, rankUrl = RANDOM_RANK): Promise<RankExecutor> =>
  openRanks({ worldSize, rankUrl, rankOptions: options, place });

async function exchange(tasks: readonly Parameters<typeof writeTasks>[1][]): Promise<CollectiveResult[][]> {
  for (const [rank, ofRank] of tasks.entries()) writeTasks(taskFile(directory, rank), ofRank);
  const options: ExchangingRankOptions = { limits: LIMITS, directory };
  const executor = await open(options, EXCHANGING_RANK);
  await executor.dispose();
  return tasks.map((_, rank) => readResults(resultFile(directory, rank)));
}

test('the ranks are on two hosts', () => {
  expect([worldSize, place.localSize]).toEqual([4, 2]);
});

describeCollectives('two hosts', {
  rankCounts: [worldSize],
  // A buffer holds 65,536 numbers.
  counts: [1, 17, 4096, 65_536, 150_001],
  stored: Math.fround,
  keepsNegativeZero: true,
  run: exchange,
});

describeExecutor('four CPU ranks on two hosts', {
  tolerance: 0,
  create: (limits, fault) => open({ limits, fault }),
});

test('the cache has as many blocks as the smallest rank of any host has room for', async () => {
  const executor = await open({ limits: LIMITS, smallRank: 3 });
  expect(executor.limits.blockCount).toBe(LIMITS.blockCount - 1);
  await executor.dispose();
});
