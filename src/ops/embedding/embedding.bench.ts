/** node dist/ops/embedding/embedding.bench.js */
import { BYTES_PER_ELEMENT } from '../../core/dtype.js';
import { createCpuPool } from '../../device/cpu/kernel-library.js';
import { addressOf, allocateHost } from '../../ffi/memory.js';
import { bestMs, printRate } from '../measure.js';
import { embeddingCost } from './contract.js';
import { bindEmbedding, TABLE_DTYPES } from './cpu.js';

const pool = createCpuPool();
const embedding = bindEmbedding(pool.library);
const [VOCABULARY, HIDDEN] = [32_000, 2048];
const table = allocateHost(4 * VOCABULARY * HIDDEN);
const scales = new Float32Array(VOCABULARY);
for (const [dtype, name] of TABLE_DTYPES.entries()) {
  for (const count of [1, 512]) {
    const tokenIds = Int32Array.from({ length: count }, (_, i) => (i * 7919) % VOCABULARY);
    const out = new Float32Array(count * HIDDEN);
    const [scalesAt, ids, to] = [scales, tokenIds, out].map(addressOf);
    const ms = bestMs(() =>
      embedding(pool.handle, table.address, scalesAt!, dtype, ids!, to!, count, HIDDEN),
    );
    printRate(
      `embedding ${name}, ${count} tokens of ${HIDDEN}`,
      ms,
      embeddingCost(count, HIDDEN, { table: BYTES_PER_ELEMENT[name], activation: 4 }),
    );
  }
}
table.dispose();
pool.dispose();
