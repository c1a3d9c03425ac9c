/** For tests: the process of a rank that makes the exchanges of its first message, and sends the results. */
import { addressOf } from '../../../ffi/memory.js';
import { openSharedMemory } from '../../../ffi/shared-memory.js';
import { reportError } from '../../../core/errors.js';
import type { CollectiveResult, CollectiveTask } from '../../testing/collective-suite.js';
import { RankGroup, rankGroupBytes } from '../rank-group.js';
import { SharedCollectives } from '../shared-collectives.js';

/** Descriptor of the shared memory in this process. */
export const MEMORY_DESCRIPTOR = 4;

export interface RankTasks {
  readonly rank: number;
  readonly rankCount: number;
  readonly patienceMs: number;
  readonly tasks: readonly CollectiveTask[];
}

function runAll({ rank, rankCount, patienceMs, tasks }: RankTasks): CollectiveResult[] {
  const { area } = openSharedMemory(MEMORY_DESCRIPTOR, rankGroupBytes(rankCount));
  const collectives = new SharedCollectives(new RankGroup(area.address, { rank, rankCount, patienceMs }));
  return tasks.map((task) => runOne(task, collectives));
}

function runOne({ values, gather }: CollectiveTask, collectives: SharedCollectives): CollectiveResult {
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

process.once('message', (tasks: RankTasks) =>
  process.send?.(runAll(tasks), undefined, {}, () => process.exit(0)),
);
