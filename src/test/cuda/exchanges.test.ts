/** Exchanges of ranks that share one GPU: each is a process, and they store into each other's memory. */
import { describe, expect, test } from 'vitest';
import { present } from '../../core/present.js';
import { floatToHalf, halfToFloat } from '../../core/dtype.js';
import { openNccl } from '../../device/cuda/nccl.js';
import { describeOnGpu } from '../../device/cuda/testing/on-gpu.js';
import { describeCollectives } from '../../device/testing/collective-suite.js';
import { type ExchangeReport, type ExchangeWork, HIDDEN } from './exchange-rank.js';
import { commonFor, runExchanges } from './exchange-ranks.js';

const units = new Map<number, Uint8Array>();

function runRanks(works: readonly ExchangeWork[], patienceMs?: number): Promise<ExchangeReport[]> {
  const common = units.get(works.length) ?? commonFor(works.length);
  units.set(works.length, common);
  return runExchanges(common, works, present({ patienceMs }));
}

const same = (rankCount: number, work: ExchangeWork): ExchangeWork[] =>
  Array<ExchangeWork>(rankCount).fill(work);

describeOnGpu('exchanges of ranks on one GPU', () => {
  describeCollectives('peer memory', {
    rankCounts: [2, 4],
    counts: [1, 2, 16, 17, 128, 129].map((rows) => rows * HIDDEN),
    stored: (value) => halfToFloat(floatToHalf(value)),
    keepsNegativeZero: false,
    async run(lists) {
      const reports = await runRanks(lists.map((tasks) => ({ kind: 'tasks', tasks })));
      return reports.map(({ results, fault }, rank) => {
        if (results === undefined) throw new Error(`rank ${rank}: ${fault?.message}`);
        return results;
      });
    },
  });

  describe.each([2, 4])('%i ranks', (rankCount) => {
    test('sums with norms have the bits of sums and norms, on every rank', async () => {
      const rows = [1, 2, 16, 17, 128, 129];
      const reports = await runRanks(same(rankCount, { kind: 'norms', rows }));
      expect(reports.map(({ fault }) => fault)).toEqual(same(rankCount, undefined as never));
      for (const { norms } of reports)
        for (const [i, { bits, areSame }] of norms!.entries()) {
          expect(areSame, `${rows[i]} rows`).toBe(true);
          expect(Buffer.from(bits.buffer).equals(Buffer.from(reports[0]!.norms![i]!.bits.buffer))).toBe(true);
        }
    });

    test('a captured graph sums anew each time that it is launched', async () => {
      const count = 8;
      const reports = await runRanks(same(rankCount, { kind: 'replays', count }));
      const ranksSum = (rankCount * (rankCount - 1)) / 2;
      const expected = Array.from({ length: 3 * count }, (_, i) => ranksSum + rankCount * Math.floor(i / 3));
      for (const { sums, fault } of reports) expect(fault ?? sums).toEqual(expected);
    });
  });

  test('the ranks name their GPU and the way between them', async () => {
    const [first] = await runRanks(same(2, { kind: 'tasks', tasks: [] }));
    expect(first!.summary).toMatch(/^rank 0 on GPU-[\da-f-]{36}, rank 1 on GPU-.*one shot over peer memory/);
  });

  test('a rank that does not come ends the wait at its deadline, with its name', async () => {
    const [first] = await runRanks(same(2, { kind: 'alone', isStopped: false }), 2000);
    expect(first!.fault).toMatchObject({
      code: 'RANK_LATE',
      message: expect.stringMatching(/^Rank 1 of 2/) as string,
    });
  });

  test('the host ends a wait long before its deadline', async () => {
    const [first] = await runRanks(same(2, { kind: 'alone', isStopped: true }), 250_000);
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
