/** Histograms of times whose bins are the same in every run, so that two runs compare. */
import type { Bin } from './report.js';

const BINS_PER_DECADE = 10;

/** Counts of values in bins of equal width on a logarithmic axis. */
export interface Histogram {
  readonly binsPerDecade: number;
  /** The first bin begins at `10 ** (firstBin / binsPerDecade)`. */
  readonly firstBin: number;
  readonly counts: readonly number[];
}

/** Values that are not above 0, and those that are no numbers, are left out. */
export function histogramOf(values: readonly number[]): Histogram {
  const bins = values
    .filter((value) => value > 0 && value < Infinity)
    .map((value) => Math.floor(Math.log10(value) * BINS_PER_DECADE));
  const firstBin = bins.reduce((least, bin) => Math.min(least, bin), bins[0] ?? 0);
  const lastBin = bins.reduce((most, bin) => Math.max(most, bin), bins[0] ?? -1);
  const counts = Array.from({ length: lastBin - firstBin + 1 }, () => 0);
  for (const bin of bins) counts[bin - firstBin]!++;
  return { binsPerDecade: BINS_PER_DECADE, firstBin, counts };
}

/** The bins of a histogram with their borders; empty ones are left out. */
export function binsOf({ binsPerDecade, firstBin, counts }: Histogram): Bin[] {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const border = (index: number): number => 10 ** ((firstBin + index) / binsPerDecade);
  return counts
    .map((count, i) => ({ from: border(i), to: border(i + 1), share: count / total, count }))
    .filter(({ count }) => count > 0);
}
