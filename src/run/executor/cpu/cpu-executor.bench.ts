/**
 * Where the time of a step goes on the CPU, for the 1.1B shape (TinyLlama) with random int8 weights:
 * decode of 1 and 16 rows at several contexts, and prefill of 512 tokens. node dist/run/executor/cpu/cpu-executor.bench.js [threads]
 */
import { buildStep, type StepRow } from '../../../core/build-step.js';
import { tensorBytes } from '../../../core/dtype.js';
import { seededRandom } from '../../../core/random.js';
import { GREEDY } from '../../../core/sampling.js';
import { createCpuWeightLayout } from '../../../device/cpu/cpu-weight-layout.js';
import { createCpuPool } from '../../../device/cpu/kernel-library.js';
import { allocateHost } from '../../../ffi/memory.js';
import type { Plan } from '../../../plan/plan.js';
import { weightRoles } from '../../../plan/validate.js';
import { CpuExecutor } from './cpu-executor.js';
import { createTestPlan } from '../../../plan/testing/test-plan.js';
import { INT8_PER_CHANNEL } from '../../../plan/weight-format.js';

const BLOCK_TOKENS = 16;
const plan = createTestPlan({
  dims: {
    layerCount: 22,
    hidden: 2048,
    headCount: 32,
    kvHeadCount: 4,
    headDim: 64,
    intermediate: 5632,
    vocabulary: 32_000,
  },
  rope: { theta: 10_000, scaling: { type: 'none' } },
  format: INT8_PER_CHANNEL,
  dense: 'f16',
  bias: false,
  fused: true,
});

const threads = process.argv[2] === undefined ? {} : { threadCount: Number(process.argv[2]) };
const pool = createCpuPool(threads);
const times = new Map<string, number>();
const weights = fillRandomly(plan);
const executor = new CpuExecutor({
  plan,
  pool,
  ...weights,
  limits: {
    maxStepTokens: 512,
    maxRows: 16,
    maxLogits: 16,
    blockTokens: BLOCK_TOKENS,
    blockCount: 2048,
    hostBlockCount: 0,
    maxSequenceTokens: 2048,
  },
  kvDtype: 'f16',
  profile: ({ kernel, ms }) => times.set(kernel, (times.get(kernel) ?? 0) + ms),
});

console.log(`${pool.threadCount} threads, ${pool.isa}, weights ${(weights.weightBytes / 1e9).toFixed(2)} GB`);
for (const slot of Array.from({ length: 16 }, (_, i) => i))
  executor.attachSlot({
    slot,
    sampling: { ...GREEDY, temperature: 0.8, topP: 0.95, seed: 1n },
    isBeam: false,
    endIds: [],
    promptTokenIds: new Int32Array(0),
    outputTokenIds: new Int32Array(0),
  });

const row = (slot: number, firstPosition: number, count: number): StepRow => ({
  slot,
  tokenIds: Array.from({ length: count }, (_, i) => (i * 7919 + slot) % 32_000),
  firstPosition,
  blocks: Array.from({ length: 128 }, (_, i) => slot * 128 + i),
});
const decode = (rows: number, context: number): StepRow[] =>
  Array.from({ length: rows }, (_, slot) => row(slot, context - 1, 1));

await measure('decode, 1 row, context 128', decode(1, 128), 10);
await measure('decode, 1 row, context 2048', decode(1, 2048), 10);
await measure('decode, 16 rows, context 512', decode(16, 512), 5);
await measure('prefill, 512 tokens', [row(0, 0, 512)], 3);
await measure('prefill, 512 tokens after 1536', [row(0, 1536, 512)], 3);
await executor.dispose();
weights.dispose();

async function measure(title: string, rows: readonly StepRow[], repeats: number): Promise<void> {
  const step = buildStep(rows);
  let totalMs = 0;
  for (let i = -1; i < repeats; i++) {
    if (i === 0) times.clear();
    executor.submit(step);
    const { deviceMs } = await executor.collect();
    if (i >= 0) totalMs += deviceMs;
  }
  const parts = [...times].toSorted((a, b) => b[1] - a[1]);
  const kernelMs = parts.reduce((sum, [, ms]) => sum + ms, 0);
  console.log(`\n${title}: ${(totalMs / repeats).toFixed(2)} ms a step`);
  for (const [kind, ms] of [...parts, ['host', totalMs - kernelMs] as const])
    console.log(
      `  ${kind.padEnd(16)}${(ms / repeats).toFixed(3).padStart(10)} ms ${((100 * ms) / totalMs).toFixed(1).padStart(6)}%`,
    );
}

/** Packed tensors of a plan with random bytes where bytes are data, and plausible scales. */
function fillRandomly(model: Plan) {
  const layout = createCpuWeightLayout(pool);
  const random = seededRandom(1);
  const pattern = Uint8Array.from({ length: 1 << 20 }, () => Math.floor(random.next() * 256));
  const small = new Float32Array(1 << 18).fill(1e-3);
  const zeros = new Uint8Array(1 << 20);
  const areas = [...weightRoles(model)].flatMap(([name, role]) =>
    layout.specs(name, model.weights[name]!, role).map((spec) => {
      const area = allocateHost(tensorBytes(spec.dtype, spec.shape));
      const fill = { i8: pattern, f32: new Uint8Array(small.buffer) }[spec.dtype as string] ?? zeros;
      for (let at = 0; at < area.byteLength; at += fill.length)
        area
          .bytes(at, Math.min(fill.length, area.byteLength - at))
          .set(fill.subarray(0, area.byteLength - at));
      return { name: spec.name, area };
    }),
  );
  const byName = new Map(areas.map(({ name, area }) => [name, area]));
  return {
    weightBytes: areas.reduce((sum, { area }) => sum + area.byteLength, 0),
    tensorAddress: (name: string) => byName.get(name)!.address,
    dispose: () => areas.forEach(({ area }) => area.dispose()),
  };
}
