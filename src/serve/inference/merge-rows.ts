/** Runs the rows of a batched request side by side. */
import type { GenerateEvent } from '../../core/generate.js';

export interface RowEvents {
  readonly row: number;
  readonly events: readonly GenerateEvent[];
}

/** Events of all rows as they come. One failure ends all: the other iterations are left, which cancels them. */
export async function* mergeRows(
  rows: readonly AsyncGenerator<GenerateEvent[], void, void>[],
): AsyncGenerator<RowEvents[], void, void> {
  const [only] = rows;
  if (only === undefined) return;
  if (rows.length === 1) {
    for await (const events of only) yield [{ row: 0, events }];
    return;
  }
  const next = (row: number) => {
    const promise = rows[row]!.next().then((result) => ({ row, result }));
    // When the loop below ends with one row, nobody awaits the others any more, and they may still fail.
    promise.catch(() => undefined);
    return promise;
  };
  const pending = new Map(rows.map((_, row) => [row, next(row)]));
  try {
    while (pending.size > 0) {
      const { row, result } = await Promise.race(pending.values());
      if (result.done) {
        pending.delete(row);
        continue;
      }
      pending.set(row, next(row));
      yield [{ row, events: result.value }];
    }
  } finally {
    // Not awaited: a row that waits for its engine ends only when it is cancelled, which `return` asks for in turn.
    for (const row of rows) void row.return().catch(() => undefined);
  }
}
