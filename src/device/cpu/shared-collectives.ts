import type { Collectives } from '../collectives.js';
import type { RankGroup } from './rank-group.js';

/**
 * Collectives of processes of one host over shared memory. Sums are made in the order of ranks in f32 on every rank, so that
 * all have the same bits and a number does not depend on what else is exchanged with it.
 */
export class SharedCollectives implements Collectives {
  readonly #group: RankGroup;

  constructor(group: RankGroup) {
    this.#group = group;
  }

  allReduce(x: number, count: number): void {
    this.#group.allReduce(x, count);
  }

  allGather({
    x,
    out,
    rowCount,
    columnCount,
    outColumnCount,
  }: Parameters<Collectives['allGather']>[0]): void {
    this.#group.allGather(x, out, [rowCount, columnCount, outColumnCount]);
  }
}
