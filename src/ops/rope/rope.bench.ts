/** node dist/ops/rope/rope.bench.js: what making rotation tables costs; the kernel is timed with paged attention. */
import { bestMs, printRate } from '../measure.js';
import { rotationTable } from './rotation.js';

const ROPE = { theta: 10_000, scaling: { type: 'none' } } as const;
for (const positionCount of [2048, 32_768]) {
  const ms = bestMs(() => void rotationTable(ROPE, 128, { positionCount }));
  printRate(`rotation table of ${positionCount} positions`, ms, { bytes: positionCount * 128 * 4 });
}
