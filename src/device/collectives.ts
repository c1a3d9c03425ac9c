/**
 * Exchanges that ranks make together inside a step. All ranks make the same calls in the same order.
 * Buffers are f32 in the memory of the executor's device, by address.
 */
export interface Collectives {
  /** Replaces x by the sum over all ranks, the same bits on each.  x [count] f32 */
  allReduce(x: number, count: number): void;
  /** Puts the rows of all ranks side by side.  x [rowCount, columnCount] f32 -> out [rowCount, ranks * columnCount] f32, cut to `outColumnCount` columns */
  allGather(gather: {
    readonly x: number;
    readonly out: number;
    readonly rowCount: number;
    readonly columnCount: number;
    readonly outColumnCount: number;
  }): void;
}
