/** For tests: the process of a rank that makes one exchange, as its first message says, and sends the result. */
import { addressOf } from '../../../ffi/memory.js';
import { openSharedMemory } from '../../../ffi/shared-memory.js';
import { reportError, type ErrorReport } from '../../../core/errors.js';
import { RankGroup, rankGroupBytes } from '../rank-group.js';
import { SharedCollectives } from '../shared-collectives.js';

/** Descriptor of the shared memory in this process. */
export const MEMORY_DESCRIPTOR = 4;

export interface CollectiveTask {
  readonly rank: number;
  readonly rankCount: number;
  readonly patienceMs: number;
  readonly values: Float32Array;
  /** Absent: a sum. */
  readonly gather?: {
    readonly rowCount: number;
    readonly columnCount: number;
    readonly outColumnCount: number;
  };
}

export interface CollectiveResult {
  readonly values?: Float32Array;
  readonly error?: ErrorReport;
}

function run({ rank, rankCount, patienceMs, values, gather }: CollectiveTask): CollectiveResult {
  const { area } = openSharedMemory(MEMORY_DESCRIPTOR, rankGroupBytes(rankCount));
  const collectives = new SharedCollectives(new RankGroup(area.address, { rank, rankCount, patienceMs }));
  try {
    if (gather === undefined) {
      collectives.allReduce(addressOf(values), values.length);
      return { values };
    }
    const out = new Float32Array(gather.rowCount * gather.outColumnCount);
    collectives.allGather({ x: addressOf(values), out: addressOf(out), ...gather });
    return { values: out };
  } catch (thrown) {
    return { error: reportError(thrown) };
  }
}

process.once('message', (task: CollectiveTask) =>
  process.send?.(run(task), undefined, {}, () => process.exit(0)),
);
