/** Exchanges of ranks that share one GPU or have one each: each is a process, and they store into each other's memory. */
import { describe, expect, test } from 'vitest';
import { floatToHalf, halfToFloat } from '../../core/dtype.js';
import { openNccl } from '../../device/cuda/nccl.js';
import { describeOnGpu, gpusForTests } from '../../device/cuda/testing/on-gpu.js';
import { describeCollectives } from '../../device/testing/collective-suite.js';
import { type ExchangeReport, type ExchangeWork, HIDDEN } from './exchange-rank.js';
import { commonFor, type ExchangeRun, runExchanges } from './exchange-ranks.js';

const units = new Map<number, Uint8Array>();

function runRanks(works: readonly ExchangeWork[], options: ExchangeRun = {}): Promise<ExchangeReport[]> {
  const common = units.get(works.length) ?? commonFor(works.length);
  units.set(works.length, common);
  return runExchanges(common, works, options);
}

const same = (rankCount: number, work: ExchangeWork): ExchangeWork[] =>
  Array<ExchangeWork>(rankCount).fill(work);

/** Tests of what ranks must keep wherever they run. */
function describeExchanges(name: string, options: ExchangeRun, rankCounts: readonly number[]): void {
  describeCollectives(name, {
    rankCounts,
    counts: [1, 2, 16, 17, 128, 129].map((rows) => rows * HIDDEN),
    stored: (value) => halfToFloat(floatToHalf(value)),
    keepsNegativeZero: options.collectives === 'nccl',
    async run(lists) {
      const works = lists.map((tasks): ExchangeWork => ({ kind: 'tasks', tasks }));
      const reports = await runRanks(works, options);
      return reports.map(({ results, fault }, rank) => {
        if (results === undefined) throw new Error(`rank ${rank}: ${fault?.message}`);
        return results;
      });
    },
  });

  describe.each(rankCounts)(`${name}: %i ranks`, (rankCount) => {
    test('sums with norms have the bits of sums and norms, on every rank', async () => {
      const rows = [1, 2, 16, 17, 128, 129];
      const reports = await runRanks(same(rankCount, { kind: 'norms', rows }), options);
      expect(reports.map(({ fault }) => fault)).toEqual(same(rankCount, undefined as never));
      for (const { norms } of reports)
        for (const [i, { bits, areSame }] of norms!.entries()) {
          expect(areSame, `${rows[i]} rows`).toBe(true);
          expect(Buffer.from(bits.buffer).equals(Buffer.from(reports[0]!.norms![i]!.bits.buffer))).toBe(true);
        }
    });

    test('a captured graph sums anew each time that it is launched', async () => {
      const count = 8;
      const reports = await runRanks(same(rankCount, { kind: 'replays', count }), options);
      const ranksSum = (rankCount * (rankCount - 1)) / 2;
      const expected = Array.from({ length: 3 * count }, (_, i) => ranksSum + rankCount * Math.floor(i / 3));
      for (const { sums, fault } of reports) expect(fault ?? sums).toEqual(expected);
    });
  });
}

const withGpus = [2, 4].filter((rankCount) => rankCount <= gpusForTests());

describeOnGpu('exchanges of ranks', () => {
  describeExchanges('peer memory of one GPU', {}, [2, 4]);
  describeExchanges('peer memory of a GPU each', { hasOwnGpus: true }, withGpus);
  describeExchanges('NCCL between GPUs', { hasOwnGpus: true, collectives: 'nccl' }, withGpus);

  test('the ranks name their GPU and the way between them', async () => {
    const [first] = await runRanks(same(2, { kind: 'tasks', tasks: [] }));
    expect(first!.summary).toMatch(/^rank 0 on GPU-[\da-f-]{36}, rank 1 on GPU-.*one shot over peer memory/);
  });

  test('a rank that does not come ends the wait at its deadline, with its name', async () => {
    const [first] = await runRanks(same(2, { kind: 'alone', isStopped: false }), { patienceMs: 2000 });
    expect(first!.fault).toMatchObject({
      code: 'RANK_LATE',
      message: expect.stringMatching(/^Rank 1 of 2/) as string,
    });
  });

  test('the host ends a wait long before its deadline', async () => {
    const [first] = await runRanks(same(2, { kind: 'alone', isStopped: true }), { patienceMs: 250_000 });
    expect(first!.fault).toBeUndefined();
  });

  test('NCCL is called as its library is, or its absence is explained', () => {
    let version: string;
    try {
      version = openNccl().version;
    } catch (fault) {
      version = (fault as Error).message;
    }
    expect(version).toMatch(/^2\.\d+\.\d+$|libnccl.so.2 .*install NCCL 2/);
  });
});
