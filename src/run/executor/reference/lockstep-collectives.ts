import { invariant } from '../../../core/errors.js';
import type { Collectives } from '../../../device/collectives.js';
import { addressOf, copyHost } from '../../../ffi/memory.js';

/** Contribution of one rank to an exchange, and the address of its result. */
interface Part {
  readonly values: Float32Array;
  readonly out: number;
}

/**
 * Collectives of ranks that run in one process and take turns: each op runs on all ranks in order before the next one runs
 * on any. The call of the last rank writes the results of all.
 */
export class LockstepCollectives implements Collectives {
  readonly #rankCount: number;
  #parts: Part[] = [];
  /** Result of the last exchange, which must stay alive while it is copied by its address. */
  #result: Float32Array = new Float32Array(0);

  constructor(rankCount: number) {
    this.#rankCount = rankCount;
  }

  allReduce(x: number, count: number): void {
    this.#exchange(x, count, x, (parts) =>
      Float32Array.from({ length: count }, (_, i) => parts.reduce((sum, part) => sum + part[i]!, 0)),
    );
  }

  allGather({
    x,
    out,
    rowCount,
    columnCount,
    outColumnCount,
  }: Parameters<Collectives['allGather']>[0]): void {
    this.#exchange(x, rowCount * columnCount, out, (parts) =>
      Float32Array.from({ length: rowCount * outColumnCount }, (_, i) => {
        const [row, column] = [Math.floor(i / outColumnCount), i % outColumnCount];
        return parts[Math.floor(column / columnCount)]![row * columnCount + (column % columnCount)]!;
      }),
    );
  }

  #exchange(
    x: number,
    count: number,
    out: number,
    join: (parts: readonly Float32Array[]) => Float32Array,
  ): void {
    const values = new Float32Array(count);
    copyHost(addressOf(values), x, values.byteLength);
    this.#parts.push({ values, out });
    const parts = this.#parts;
    invariant(parts[0]!.values.length === count, () => 'ranks exchange different numbers of values');
    if (parts.length < this.#rankCount) return;
    this.#parts = [];
    this.#result = join(parts.map((part) => part.values));
    for (const { out } of parts) copyHost(out, addressOf(this.#result), this.#result.byteLength);
  }
}
