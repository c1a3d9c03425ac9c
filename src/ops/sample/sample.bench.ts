/** node dist/ops/sample/sample.bench.js: a row of logits under several sampling parameters. */
import { GREEDY, type SamplingParams } from '../../core/sampling.js';
import { seededRandom } from '../../core/random.js';
import { createCpuPool } from '../../device/cpu/kernel-library.js';
import { addressOf } from '../../ffi/memory.js';
import { bestMs, printRate } from '../measure.js';
import { bindSample, NativeSlot, SampleRows } from './cpu.js';

const SETTINGS: Readonly<Record<string, Partial<SamplingParams>>> = {
  greedy: {},
  temperature: { temperature: 0.8 },
  'top-k 50': { temperature: 0.8, topK: 50 },
  'top-p 0.95': { temperature: 0.8, topP: 0.95 },
  'top-k, top-p, min-p, penalty': {
    temperature: 0.8,
    topK: 50,
    topP: 0.95,
    minP: 0.02,
    repetitionPenalty: 1.1,
  },
};

const pool = createCpuPool();
const sample = bindSample(pool.library);
for (const [vocabulary, rowCount] of [
  [32_000, 1],
  [32_000, 64],
  [128_256, 1],
] as const) {
  const random = seededRandom(1);
  const logits = Float32Array.from(
    { length: rowCount * vocabulary },
    () => -4 * Math.log(1e-9 + random.next()),
  );
  for (const [name, settings] of Object.entries(SETTINGS)) {
    for (const topCount of [-1, 5]) {
      const sampling = { ...GREEDY, ...settings };
      const promptTokenIds = Int32Array.from({ length: 500 }, (_, i) => i * 3);
      const slot = new NativeSlot({
        slot: 0,
        sampling,
        isBeam: false,
        endIds: [],
        promptTokenIds,
        outputTokenIds: new Int32Array(0),
      });
      const rows = new SampleRows(rowCount);
      for (let row = 0; row < rowCount; row++) rows.set(row, slot, { position: row, target: -1, topCount });
      const stride = Math.max(0, topCount);
      const [tokenIds, topIds] = [new Int32Array(rowCount), new Int32Array(rowCount * stride)];
      const [logprobs, topLogprobs] = [new Float32Array(rowCount), new Float32Array(rowCount * stride)];
      const [from, ids, scores, top, topScores] = [logits, tokenIds, logprobs, topIds, topLogprobs].map(
        addressOf,
      );
      const ms = bestMs(() =>
        sample(
          pool.handle,
          from!,
          vocabulary,
          vocabulary,
          rows.address,
          rowCount,
          stride,
          ids!,
          scores!,
          top!,
          topScores!,
        ),
      );
      const title = `${rowCount} x ${vocabulary}, ${name}${topCount < 0 ? '' : ', top 5 logprobs'}`;
      printRate(title, ms, { bytes: 4 * logits.length });
    }
  }
}
pool.dispose();
