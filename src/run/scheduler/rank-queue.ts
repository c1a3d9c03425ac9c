import type { SequenceGroup } from './sequence.js';

/**
 * Groups in order of rank: submission time less the head start of the priority, then order of submission. A rank never
 * changes, so whatever comes later is in the end behind: no priority can starve another.
 */
export class RankQueue {
  readonly #groups: SequenceGroup[] = [];

  get length(): number {
    return this.#groups.length;
  }

  get first(): SequenceGroup | undefined {
    return this.#groups[0];
  }

  get last(): SequenceGroup | undefined {
    return this.#groups[this.#groups.length - 1];
  }

  at(index: number): SequenceGroup {
    return this.#groups[index]!;
  }

  [Symbol.iterator](): Iterator<SequenceGroup> {
    return this.#groups[Symbol.iterator]();
  }

  add(group: SequenceGroup): void {
    if (this.#groups.length === 0 || comesBefore(this.last!, group)) this.#groups.push(group);
    else this.#groups.splice(this.#positionOf(group), 0, group);
  }

  remove(group: SequenceGroup): void {
    this.#groups.splice(this.#positionOf(group), 1);
  }

  /** The index of `group`, or where it belongs. */
  #positionOf(group: SequenceGroup): number {
    let low = 0;
    let high = this.#groups.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (comesBefore(this.#groups[middle]!, group)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function comesBefore(a: SequenceGroup, b: SequenceGroup): boolean {
  return a.rankMs < b.rankMs || (a.rankMs === b.rankMs && a.arrival < b.arrival);
}
