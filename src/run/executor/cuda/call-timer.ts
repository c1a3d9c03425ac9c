/** Times every launch of a step with events between them. The step then runs launch by launch, not as a graph. */
import { invariant } from '../../../core/errors.js';
import type { CudaEvent, Stream } from '../../../device/cuda/stream.js';
import type { LaunchSink } from '../../../ops/cuda/sink.js';
import type { CallListener } from '../opening/timed-call.js';

export interface CallTimer {
  /** Launches what it is given and an event after each. */
  readonly sink: LaunchSink;
  /** Begins a step. The step before must have been read: one is timed at a time. */
  begin(): void;
  /** Reports the times of a step that is done. */
  read(listener: CallListener): void;
  dispose(): void;
}

/** @param inner performs the launches on `stream` */
export function createCallTimer(inner: LaunchSink, stream: Stream, newEvent: () => CudaEvent): CallTimer {
  const events: CudaEvent[] = [];
  let calls: { readonly opIndex: number; readonly kernel: string }[] = [];
  let opIndex = 0;
  const mark = (): void => (events[calls.length] ??= newEvent()).record(stream);
  const done = (kernel: string): void => {
    calls.push({ opIndex, kernel });
    mark();
  };
  return {
    sink: {
      startOp: (index) => (opIndex = index),
      kernel(launch) {
        inner.kernel(launch);
        done(launch.kernel);
      },
      matmul(shape, pointers, algorithm) {
        inner.matmul(shape, pointers, algorithm);
        done('cublasLtMatmul');
      },
      exchange(call) {
        inner.exchange!(call);
        done(`nccl ${call.kind}`);
      },
    },
    begin() {
      invariant(calls.length === 0, () => 'a step is timed before the times of the one before were read');
      mark();
    },
    read(listener) {
      for (const [index, call] of calls.entries()) {
        const [before, after] = [events[index]!, events[index + 1]!];
        listener({ ...call, startMs: before.msSince(events[0]!), ms: after.msSince(before) });
      }
      calls = [];
    },
    dispose() {
      for (const event of events) event.dispose();
    },
  };
}
