/** Choice of the sums over ranks that take one shot, by their times. Pure. */
import { rowClass } from '../linear/cuda/row-classes.js';
import { ONE_SHOT_ROWS } from './region.js';

/** Numbers of rows whose sums are timed: each stands for its class. */
export const TIMED_ROWS: readonly number[] = [8, 16, 32, 64, ONE_SHOT_ROWS];

/** Times of a sum with its norm, us. */
export interface ReduceTimes {
  readonly oneShot: number;
  readonly twoShot: number;
}

/**
 * Most rows of a sum in one shot: no class up to it is slower so than in two. Larger sums send more in one shot than in two, so
 * there is one crossing.
 * @param times for each of {@link TIMED_ROWS}
 */
export function crossingOf(times: readonly ReduceTimes[]): number {
  const slower = times.findIndex(({ oneShot, twoShot }) => oneShot > twoShot);
  return slower < 0 ? ONE_SHOT_ROWS : (TIMED_ROWS[slower - 1] ?? 0);
}

/** The largest of {@link TIMED_ROWS} that is no more than so many rows; 0 for none. */
export const wholeClasses = (rows: number): number => TIMED_ROWS.findLast((most) => most <= rows) ?? 0;

/** Whether a sum of so many rows takes one shot. */
export const isOneShot = (rows: number, crossing: number): boolean => rowClass(rows) <= crossing;

/** The slowest rank decides, so that all decide the same. @param ranks times of each rank */
export function slowestTimes(ranks: readonly (readonly ReduceTimes[])[]): readonly ReduceTimes[] {
  const slowest = (index: number, way: keyof ReduceTimes): number =>
    Math.max(...ranks.map((times) => times[index]![way]));
  return TIMED_ROWS.map((_, i) => ({ oneShot: slowest(i, 'oneShot'), twoShot: slowest(i, 'twoShot') }));
}

/** `8 rows 5.1 and 6.3, 16 rows ...` */
export function timesText(times: readonly ReduceTimes[]): string {
  const parts = times.map(
    ({ oneShot, twoShot }, i) => `${TIMED_ROWS[i]!} rows ${oneShot.toFixed(1)} and ${twoShot.toFixed(1)}`,
  );
  return parts.join(', ');
}

/** Times as bytes that ranks exchange. */
export function encodeTimes(times: readonly ReduceTimes[]): Uint8Array {
  return new Uint8Array(
    Float32Array.from(times.flatMap(({ oneShot, twoShot }) => [oneShot, twoShot])).buffer,
  );
}

export function decodeTimes(bytes: Uint8Array): ReduceTimes[] {
  const values = new Float32Array(bytes.slice().buffer);
  return TIMED_ROWS.map((_, i) => ({ oneShot: values[2 * i]!, twoShot: values[2 * i + 1]! }));
}
