/** Size of a thread's heap once all that can be freed is freed. Needs `--expose-gc`. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { getHeapCodeStatistics, getHeapSpaceStatistics } from 'node:v8';

/** @returns bytes in use: of the heap, of its spaces, and of code and its metadata as V8 counts them */
export async function heapAfterCollection() {
  // Finalisers of one collection run in a turn of their own, and only the next collection frees their objects.
  for (let i = 0; i < 3; i++) {
    globalThis.gc();
    await nextTurn();
  }
  globalThis.gc();
  const spaces = getHeapSpaceStatistics().map((space) => [space.space_name, space.space_used_size]);
  return {
    heapBytes: spaces.reduce((sum, [, bytes]) => sum + bytes, 0),
    spaces: Object.fromEntries(spaces.filter(([, bytes]) => bytes > 0)),
    code: getHeapCodeStatistics(),
  };
}
