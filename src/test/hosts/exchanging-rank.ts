/** For tests: a rank that makes exchanges before it opens, and leaves the results in a file. Rank processes load this module. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ErrorReport, reportError } from '../../core/errors.js';
import { present } from '../../core/present.js';
import { SharedCollectives } from '../../device/cpu/shared-collectives.js';
import type { CollectiveResult, CollectiveTask } from '../../device/testing/collective-suite.js';
import { addressOf } from '../../ffi/memory.js';
import type { PreparedRank, RankNumber } from '../../run/executor/opening/prepared-rank.js';
import {
  prepareRank as prepareRandomRank,
  type RandomRankOptions,
} from '../../run/ranks/testing/random-rank.js';

export interface ExchangingRankOptions extends RandomRankOptions {
  /** Folder of tasks and results, one file for each rank. */
  readonly directory: string;
}

interface WrittenResult {
  readonly values?: number[];
  readonly error?: ErrorReport;
}

/** Floats as their bits: JSON knows no -0 and no infinity. */
const bitsOf = (values: Float32Array): number[] => [...new Uint32Array(values.slice().buffer)];
const valuesOf = (bits: readonly number[]): Float32Array => new Float32Array(Uint32Array.from(bits).buffer);

export function writeTasks(file: string, tasks: readonly CollectiveTask[]): void {
  writeFileSync(file, JSON.stringify(tasks.map((task) => ({ ...task, values: bitsOf(task.values) }))));
}

export function readResults(file: string): CollectiveResult[] {
  const results = JSON.parse(readFileSync(file, 'utf8')) as WrittenResult[];
  return results.map(({ values, error }) => ({
    ...present({ error }),
    ...(values && { values: valuesOf(values) }),
  }));
}

const fileOf = (directory: string, kind: 'tasks' | 'results', rank: number): string =>
  join(directory, `${kind}-${rank}.json`);
export const taskFile = (directory: string, rank: number): string => fileOf(directory, 'tasks', rank);
export const resultFile = (directory: string, rank: number): string => fileOf(directory, 'results', rank);

export async function prepareRank(options: ExchangingRankOptions, number: RankNumber): Promise<PreparedRank> {
  const prepared = await prepareRandomRank(options, number);
  const file = taskFile(options.directory, number.rank);
  const tasks = (JSON.parse(readFileSync(file, 'utf8')) as { values: number[] }[]).map((task) => ({
    ...task,
    values: valuesOf(task.values),
  })) as CollectiveTask[];
  return {
    ...prepared,
    open(agreement) {
      const collectives = new SharedCollectives(agreement.group!);
      const results = tasks.map((task) => resultOf(task, collectives));
      const written = results.map(({ values, error }) =>
        values === undefined ? { error } : { values: bitsOf(values) },
      );
      writeFileSync(resultFile(options.directory, number.rank), JSON.stringify(written));
      return prepared.open(agreement);
    },
  };
}

function resultOf(
  { values: given, gather }: CollectiveTask,
  collectives: SharedCollectives,
): CollectiveResult {
  const values = new Float32Array(new ArrayBuffer(given.byteLength)); // small arrays may move
  values.set(given);
  try {
    if (gather === undefined) {
      collectives.allReduce(addressOf(values), values.length);
      return { values };
    }
    const out = new Float32Array(new ArrayBuffer(4 * gather.rowCount * gather.outColumnCount));
    collectives.allGather({ x: addressOf(values), out: addressOf(out), ...gather });
    return { values: out };
  } catch (thrown) {
    return { error: reportError(thrown) };
  }
}
