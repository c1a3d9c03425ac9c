/** node dist/ops/embedding/embedding.bench.js */
import { createCpuPool } from '../../device/cpu/kernel-library.js';
import { NAMED_FORMATS, weightBytes } from '../../plan/weight-format.js';
import { addressOf, allocateHost } from '../../ffi/memory.js';
import { bestMs, printRate } from '../measure.js';
import { embeddingCost } from '../../plan/ops/embedding.js';
import { bindEmbedding, TABLE_CODE } from './cpu.js';

const pool = createCpuPool();
const embedding = bindEmbedding(pool.library);
const [VOCABULARY, HIDDEN] = [32_000, 2048];
const table = allocateHost(4 * VOCABULARY * HIDDEN);
const scales = new Float32Array(VOCABULARY);
for (const [name, dtype] of Object.entries(TABLE_CODE)) {
  const format = NAMED_FORMATS[name as keyof typeof TABLE_CODE];
  for (const count of [1, 512]) {
    const tokenIds = Int32Array.from({ length: count }, (_, i) => (i * 7919) % VOCABULARY);
    const out = new Float32Array(count * HIDDEN);
    const [scalesAt, ids, to] = [scales, tokenIds, out].map(addressOf);
    const ms = bestMs(() =>
      embedding(pool.handle, table.address, scalesAt!, dtype, ids!, to!, count, HIDDEN, 1),
    );
    printRate(
      `embedding ${name}, ${count} tokens of ${HIDDEN}`,
      ms,
      embeddingCost(count, HIDDEN, { table: weightBytes(format, 1, HIDDEN) / HIDDEN, activation: 4 }),
    );
  }
}
table.dispose();
pool.dispose();
