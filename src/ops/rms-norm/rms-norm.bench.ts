/** node dist/ops/rms-norm/rms-norm.bench.js */
import { seededRandom } from '../../core/random.js';
import { createCpuPool } from '../../device/cpu/kernel-library.js';
import { addressOf } from '../../ffi/memory.js';
import { randomMatrix } from '../matrix.js';
import { bestMs, printRate } from '../measure.js';
import { rmsNormCost } from '../../plan/ops/rms-norm.js';
import { bindRmsNorm } from './cpu.js';

const pool = createCpuPool();
const rmsNorm = bindRmsNorm(pool.library);
for (const [rows, columns] of [
  [1, 2048],
  [16, 2048],
  [512, 2048],
  [512, 4096],
] as const) {
  const [x, delta, out] = [1, 2, 3].map((seed) => randomMatrix(rows, columns, seededRandom(seed)));
  const weight = randomMatrix(1, columns, seededRandom(4));
  const [xAt, deltaAt, outAt, weightAt] = [x!, delta!, out!, weight].map(({ data }) => addressOf(data));
  for (const [title, from] of [
    ['rmsNorm', 0],
    ['addRmsNorm', deltaAt!],
  ] as const) {
    const ms = bestMs(() => rmsNorm(pool.handle, xAt!, from, weightAt!, outAt!, rows, columns, 1e-5));
    printRate(
      `${title} [${rows}, ${columns}]`,
      ms,
      rmsNormCost({ rowCount: rows, columnCount: columns, hasDelta: from !== 0, elementBytes: 4 }),
    );
  }
}
pool.dispose();
