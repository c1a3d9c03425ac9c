/** node dist/ops/add/add.bench.js: the largest size streams from memory and shows what the machine gives. */
import { createCpuPool } from '../../device/cpu/kernel-library.js';
import { allocateHost } from '../../ffi/memory.js';
import { bestMs, printRate } from '../measure.js';
import { addCost } from '../../plan/ops/add.js';
import { bindAdd } from './cpu.js';

const pool = createCpuPool();
const add = bindAdd(pool.library);
for (const count of [2048, 512 * 2048, 64 << 20]) {
  const [residual, delta] = [allocateHost(4 * count), allocateHost(4 * count)];
  const ms = bestMs(() => add(pool.handle, residual.address, delta.address, count));
  printRate(`add ${count}`, ms, addCost(count, 4));
  residual.dispose();
  delta.dispose();
}
pool.dispose();
