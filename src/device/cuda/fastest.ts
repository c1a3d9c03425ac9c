/** Times of device work that lasts milliseconds or microseconds: of several runs the fastest, which nothing else held up. */
import type { CudaDriver } from './driver.js';
import { createEvent, type Stream } from './stream.js';

/** Milliseconds of the fastest of some runs of what `enqueue` puts on the stream; the host waits for each. */
export function fastestMs(driver: CudaDriver, stream: Stream, runs: number, enqueue: () => void): number {
  const [start, end] = [createEvent(driver), createEvent(driver)];
  let best = Infinity;
  for (let run = 0; run < runs; run++) {
    start.record(stream);
    enqueue();
    end.record(stream);
    end.synchronize();
    best = Math.min(best, end.msSince(start));
  }
  start.dispose();
  end.dispose();
  return best;
}

/** Microseconds of a call, where a graph of `calls` of them is launched `runs` times: no call waits for the host. */
export function callMicroseconds(
  driver: CudaDriver,
  stream: Stream,
  { calls, runs }: { readonly calls: number; readonly runs: number },
  call: (index: number) => void,
): number {
  const graph = stream.capture(() => {
    for (let index = 0; index < calls; index++) call(index);
  });
  const ms = fastestMs(driver, stream, runs, () => graph.launch(stream));
  graph.dispose();
  return (1000 * ms) / calls;
}
