/** Times sums over ranks in both ways, on the ranks that will make them. All ranks time at the same time. */
import type { Gpu } from '../../../device/cuda/gpu.js';
import { callMicroseconds } from '../../../device/cuda/fastest.js';
import type { Stream } from '../../../device/cuda/stream.js';
import type { LaunchSink } from '../../../ops/cuda/sink.js';
import { type ReduceTimes, TIMED_ROWS } from '../../../ops/exchange/crossing.js';
import { enqueueReduceNorm, type RankConnection, type ReduceWay } from '../../../ops/exchange/ranks.js';
import { ONE_SHOT_ROWS } from '../../../ops/exchange/region.js';

/** Calls of a captured graph, and launches of it, of which the fastest counts. */
const CALLS = 20;
const LAUNCHES = 10;
const BYTES_PER_VALUE = 2;
const EPSILON = 1e-5;

/** Memory that timed sums read and write: x, residual and result [128, hidden], weight [hidden], of 16 bits. */
export const timedBytes = (hidden: number): number => (3 * ONE_SHOT_ROWS + 1) * hidden * BYTES_PER_VALUE;

export interface TimedSums {
  readonly gpu: Gpu;
  readonly stream: Stream;
  readonly sink: LaunchSink;
  readonly connection: Omit<RankConnection, 'wayOf'>;
  readonly hidden: number;
  /** {@link timedBytes} of the device. */
  readonly memory: number;
}

/** @returns times for each of TIMED_ROWS */
export function timeReduces(sums: TimedSums): ReduceTimes[] {
  const { stream, memory, hidden } = sums;
  stream.fillWords(memory, 0, timedBytes(hidden) / 4);
  return TIMED_ROWS.map((rows) => ({
    oneShot: timeOf(sums, rows, 'oneShot'),
    twoShot: timeOf(sums, rows, 'twoShot'),
  }));
}

/** Time of a call, us. */
function timeOf(
  { gpu: { driver }, stream, sink, connection, hidden, memory }: TimedSums,
  rows: number,
  way: ReduceWay,
): number {
  const part = ONE_SHOT_ROWS * hidden * BYTES_PER_VALUE;
  const operands = {
    ...{ x: memory, residual: memory + part, out: memory + 2 * part, weight: memory + 3 * part },
    columns: hidden,
    epsilon: EPSILON,
  };
  return callMicroseconds(driver, stream, { calls: CALLS, runs: LAUNCHES }, () =>
    enqueueReduceNorm({ ...connection, wayOf: () => way }, rows, operands, {
      sink,
      startNorm: () => undefined,
    }),
  );
}
