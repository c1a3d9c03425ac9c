/** node dist/ops/swiglu/swiglu.bench.js */
import { seededRandom } from '../../core/random.js';
import { createCpuPool } from '../../device/cpu/kernel-library.js';
import { addressOf } from '../../ffi/memory.js';
import { randomMatrix } from '../matrix.js';
import { bestMs, printRate } from '../measure.js';
import { swigluCost } from '../../plan/ops/swiglu.js';
import { bindSwiglu } from './cpu.js';

const pool = createCpuPool();
const swiglu = bindSwiglu(pool.library);
for (const [rows, inter] of [
  [1, 5632],
  [16, 5632],
  [512, 5632],
  [1, 11008],
] as const) {
  const [gateUp, out] = [randomMatrix(rows, 2 * inter, seededRandom(1)), new Float32Array(rows * inter)];
  const [from, to] = [addressOf(gateUp.data), addressOf(out)];
  const ms = bestMs(() => swiglu(pool.handle, from, to, rows, inter));
  printRate(`swiglu [${rows}, 2 * ${inter}]`, ms, swigluCost(rows, inter, 4));
}
pool.dispose();
