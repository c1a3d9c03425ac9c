/** What exchanges between ranks must keep, whatever moves the data: run it for each way between ranks. */
import { beforeAll, describe, expect, test } from 'vitest';
import type { ErrorReport } from '../../core/errors.js';
import { seededRandom } from '../../core/random.js';

/** One exchange of a rank: a sum, or rows that are put side by side. */
export interface CollectiveTask {
  readonly values: Float32Array;
  /** Absent: a sum. */
  readonly gather?: GatherSizes;
}

export interface GatherSizes {
  readonly rowCount: number;
  readonly columnCount: number;
  readonly outColumnCount: number;
}

export interface CollectiveResult {
  readonly values?: Float32Array;
  readonly error?: ErrorReport;
}

/** A way between ranks. */
export interface CollectiveSubject {
  readonly rankCounts: readonly number[];
  /** Numbers of values of sums. */
  readonly counts: readonly number[];
  /** The value that a sum stores for a value of f32. */
  readonly stored: (value: number) => number;
  /** Whether sums know -0. */
  readonly keepsNegativeZero: boolean;
  /** Runs the tasks of all ranks, each in a process of its own, one task after the other. @returns results by rank */
  run(tasks: readonly (readonly CollectiveTask[])[]): Promise<readonly (readonly CollectiveResult[])[]>;
}

/** Values that sums in another order or flushed subnormals of 16 bits would change. */
function oddValues(count: number, seed: number): Float32Array {
  const special = [-0, 0, 6e-8, -6e-8, 3e-5, -6.1e-5, 6e4, -6e4, 2048, 1, -1, Infinity];
  const random = seededRandom(seed);
  return Float32Array.from({ length: count }, (_, i) =>
    i < 400 ? special[Math.floor(random.next() * special.length)]! : (random.next() - 0.5) * 10 ** (i % 5),
  );
}

/** Sizes of gathers, for as many ranks. */
const gathersOf = (rankCount: number): readonly GatherSizes[] => [
  { rowCount: 1, columnCount: 51, outColumnCount: 51 * rankCount - 1 },
  { rowCount: 3, columnCount: 7, outColumnCount: 7 * rankCount },
  { rowCount: 2, columnCount: 40_000, outColumnCount: 40_000 * rankCount - 3 },
];

export function describeCollectives(name: string, subject: CollectiveSubject): void {
  for (const rankCount of subject.rankCounts)
    describe(`${name}: ${rankCount} ranks`, () => describeRanks(subject, rankCount));
}

function describeRanks(subject: CollectiveSubject, rankCount: number): void {
  const { counts, stored, keepsNegativeZero } = subject;
  const ranks = Array.from({ length: rankCount }, (_, rank) => rank);
  const gathers = gathersOf(rankCount);
  const tasksOf = (rank: number): CollectiveTask[] => [
    ...counts.map((count) => ({ values: oddValues(count, rank + 1).map(stored) })),
    ...gathers.map((gather) => ({
      values: oddValues(gather.rowCount * gather.columnCount, rank + 7),
      gather,
    })),
  ];
  let results: readonly (readonly CollectiveResult[])[];
  beforeAll(async () => {
    results = await subject.run(ranks.map(tasksOf));
  });
  const clean = (value: number): number => (keepsNegativeZero ? value : value + 0);
  const expectOnAll = (index: number, expected: Float32Array): void => {
    for (const ofRank of results) expect(differences(ofRank[index]!, expected)).toEqual([]);
  };

  test.each(counts.map((count, index) => [count, index] as const))(
    'sum %i numbers to the same bits on each, in order',
    (_, index) => {
      const parts = ranks.map((rank) => tasksOf(rank)[index]!.values.map(clean));
      const sums = parts[0]!.map((first, i) =>
        parts.slice(1).reduce((sum, part) => Math.fround(sum + part[i]!), first),
      );
      expectOnAll(index, sums.map(stored).map(clean));
    },
  );

  test.each(gathers.map((gather, index) => [gather, index] as const))(
    'put %o side by side',
    (gather, index) => {
      const { rowCount, columnCount, outColumnCount } = gather;
      const at = counts.length + index;
      const parts = ranks.map((rank) => tasksOf(rank)[at]!.values);
      const expected = Float32Array.from({ length: rowCount * outColumnCount }, (_, i) => {
        const [row, column] = [Math.floor(i / outColumnCount), i % outColumnCount];
        return clean(parts[Math.floor(column / columnCount)]![row * columnCount + (column % columnCount)]!);
      });
      expectOnAll(at, expected);
    },
  );
}

/** The first places at which bits differ; what is no number has many. */
function differences({ values, error }: CollectiveResult, expected: Float32Array): readonly string[] {
  if (values === undefined) return [error?.message ?? 'no result'];
  if (values.length !== expected.length) return [`${values.length} numbers instead of ${expected.length}`];
  const found: string[] = [];
  for (let i = 0; i < expected.length && found.length < 3; i++)
    if (!Object.is(values[i], expected[i])) found.push(`[${i}] ${values[i]} instead of ${expected[i]}`);
  return found;
}
