/** node dist/ops/paged-attention/paged-attention.bench.js: decode is bound by the bytes, prefill by the operations. */
import { buildStep } from '../../core/build-step.js';
import { seededRandom } from '../../core/random.js';
import { createCpuPool } from '../../device/cpu/kernel-library.js';
import { addressOf } from '../../ffi/memory.js';
import { kvVectorBytes } from '../../plan/kv-dtype.js';
import type { PlanDims } from '../../plan/plan.js';
import { createKvLayout } from '../cpu/kv-layout.js';
import { createStepView } from '../cpu/step-view.js';
import { randomMatrix } from '../matrix.js';
import { bestMs, printRate } from '../measure.js';
import { ropeAppendCost } from '../../plan/ops/rope-append.js';
import { bindRopeAppend, RowRotations } from '../rope/cpu.js';
import { rotationTable } from '../rope/rotation.js';
import { pagedAttentionCost } from '../../plan/ops/paged-attention.js';
import { bindPagedAttention } from './cpu.js';

const MODELS = [
  { name: '1.1B', headCount: 32, kvHeadCount: 4, headDim: 64 },
  { name: '7B', headCount: 32, kvHeadCount: 32, headDim: 128 },
];
const STEPS = [
  { rows: 1, tokens: 1, context: 128 },
  { rows: 1, tokens: 1, context: 2048 },
  { rows: 16, tokens: 1, context: 512 },
  { rows: 1, tokens: 512, context: 512 },
  { rows: 1, tokens: 512, context: 2048 },
];
const BLOCK_TOKENS = 16;
/** Calls walk over as many layers as a model has, so that keys and values come from memory as they do in a step. */
const LAYERS = 32;
const BLOCKS = 128;
const ROPE = { theta: 10_000, scaling: { type: 'none' } } as const;

const pool = createCpuPool();
const [append, attend] = [bindRopeAppend(pool.library), bindPagedAttention(pool.library)];
const CASES = MODELS.flatMap((model) =>
  (['f16', 'i8', 'f8e4m3'] as const).map((dtype) => ({ ...model, dtype })),
);
for (const { name, dtype, ...heads } of CASES) {
  const dims = { layerCount: LAYERS, ...heads } as PlanDims;
  const layout = createKvLayout(dims, dtype, BLOCK_TOKENS);
  const bytes = { activation: 4, cache: kvVectorBytes(dtype, dims.headDim) / dims.headDim };
  const blocks = new Uint8Array(BLOCKS * layout.blockStrideBytes).fill(0x3c); // about 1 in all types
  let layer = 0;
  const nextLayer = (): number => addressOf(blocks) + (layer++ % LAYERS) * layout.layerStrideBytes;
  const rotations = new RowRotations(16, rotationTable(ROPE, dims.headDim, { positionCount: 2048 }));
  for (const { rows, tokens, context } of STEPS) {
    const step = buildStep(
      Array.from({ length: rows }, (_, row) => ({
        slot: row,
        tokenIds: Array.from({ length: tokens }, () => 0),
        firstPosition: context - tokens,
        blocks: Array.from({ length: context / BLOCK_TOKENS }, (_, i) => (row * 32 + i) % BLOCKS),
      })),
    );
    const { headCount, kvHeadCount, headDim } = dims;
    const qkv = randomMatrix(rows * tokens, (headCount + 2 * kvHeadCount) * headDim, seededRandom(1));
    const out = new Float32Array(rows * tokens * headCount * headDim);
    const view = createStepView();
    view.set(step);
    const [from, to] = [addressOf(qkv.data), addressOf(out)];
    const title = `${name}, cache ${dtype}, ${rows} x ${tokens} tokens, context ${context}`;
    const appendMs = bestMs(() =>
      append(pool.handle, view.address, layout.address, nextLayer(), from, headCount, rotations.address),
    );
    printRate(`ropeAppend ${title}`, appendMs, ropeAppendCost(rows * tokens, dims, bytes));
    const attendMs = bestMs(() =>
      attend(pool.handle, view.address, layout.address, nextLayer(), from, to, headCount, 0, 0),
    );
    const sequences = Array.from({ length: rows }, () => ({ tokenCount: tokens, contextTokens: context }));
    printRate(`pagedAttention ${title}`, attendMs, pagedAttentionCost(sequences, dims, bytes));
  }
}
pool.dispose();
