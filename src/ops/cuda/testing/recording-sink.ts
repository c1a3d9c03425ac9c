import type { KernelLaunch } from '../launch.js';
import type { LaunchSink, LibraryExchange, MatmulPointers, MatmulShape } from '../sink.js';

interface RecordedMatmul {
  readonly shape: MatmulShape;
  readonly pointers: MatmulPointers;
  readonly algorithm: number;
}

/** A sink that keeps what it gets. */
export interface RecordingSink extends LaunchSink {
  readonly launches: KernelLaunch[];
  readonly matmuls: RecordedMatmul[];
  readonly exchanges: LibraryExchange[];
  /** Index of the op, and name of the kernel, `matmul` or kind of exchange, of everything in order. */
  readonly calls: [opIndex: number, name: string][];
}

export function createRecordingSink(): RecordingSink {
  const [launches, matmuls]: [KernelLaunch[], RecordedMatmul[]] = [[], []];
  const exchanges: LibraryExchange[] = [];
  const calls: RecordingSink['calls'] = [];
  let opIndex = 0;
  return {
    launches,
    matmuls,
    exchanges,
    calls,
    startOp: (index) => (opIndex = index),
    kernel(launch) {
      launches.push(launch);
      calls.push([opIndex, launch.kernel]);
    },
    matmul(shape, pointers, algorithm) {
      matmuls.push({ shape, pointers, algorithm });
      calls.push([opIndex, 'matmul']);
    },
    exchange(call) {
      exchanges.push(call);
      calls.push([opIndex, call.kind]);
    },
  };
}
