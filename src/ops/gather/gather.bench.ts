/** node dist/ops/gather/gather.bench.js */
import { createCpuPool } from '../../device/cpu/kernel-library.js';
import { addressOf } from '../../ffi/memory.js';
import { bestMs, printRate } from '../measure.js';
import { gatherCost } from '../../plan/ops/gather.js';
import { bindGather } from './cpu.js';

const pool = createCpuPool();
const gather = bindGather(pool.library);
const COLUMNS = 2048;
const x = new Float32Array(512 * COLUMNS);
for (const count of [1, 64, 512]) {
  const [rows, out] = [
    Int32Array.from({ length: count }, (_, i) => (i * 77) % 512),
    new Float32Array(count * COLUMNS),
  ];
  const [from, rowsAt, to] = [addressOf(x), addressOf(rows), addressOf(out)];
  const ms = bestMs(() => gather(pool.handle, from, rowsAt, to, count, COLUMNS));
  printRate(`gather ${count} of [512, ${COLUMNS}]`, ms, gatherCost(count, COLUMNS, 4));
}
pool.dispose();
