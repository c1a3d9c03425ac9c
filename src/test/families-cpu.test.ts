/** Tiny checkpoints of the model families on a CPU: ranks, chunks and greedy text, and which of them a GPU would refuse. */
import { describe, expect, test } from 'vitest';
import { definePlans } from '../builder/plans.js';
import { resolveBuildOptions } from '../builder/resolve-options.js';
import { GREEDY } from '../core/sampling.js';
import { checkCudaPlan } from '../ops/cuda/check-plan.js';
import { tokenRequest } from '../run/batcher/testing/mixed-requests.js';
import { openExecutor } from '../run/ranks/open-engine.js';
import { buildTemporaryEngine, withModel } from './build-and-open.js';
import { FAMILIES, familyLogits, GPU_LIMITS, gpuRefusal } from './families.js';
import { allLogits, haveSameBits, shareOfRange } from './logits.js';
import { referencePath } from './reference-data.js';
import { outcomesOf } from './requests.js';

test.each(FAMILIES)('$path is refused by the check for GPUs where its config says so', ({ config }) => {
  const given = { model_dir: '-', output_dir: '-', dtype: 'float16', ...GPU_LIMITS };
  const { options } = resolveBuildOptions(new Map(Object.entries(given)));
  const check = () => checkCudaPlan(definePlans(config, options).ranks[0]!, options.limits.maxInputTokens);
  const refusal = gpuRefusal(config);
  if (refusal === undefined) expect(check).not.toThrow();
  else expect(check).toThrow(expect.objectContaining({ code: 'UNSUPPORTED', message: refusal }));
});

/** Families whose ranks divide what LLaMA's do not have: fused tensors, norms of heads, windows, soft caps. */
const ON_RANKS = ['chatglm/chatglm2', 'families/gemma2', 'families/phi3-long', 'families/qwen3'];

test.each(FAMILIES.filter(({ path }) => ON_RANKS.includes(path)))(
  '$path has the logits of its reference on two ranks of this host',
  async ({ path, prompts, logits }) => {
    const model = { model_dir: referencePath(path), dtype: 'float32', tp_size: '2', world_size: '2' };
    const engine = await buildTemporaryEngine(model);
    const executor = await openExecutor({
      engineDirectory: engine.directory,
      threadCount: 1,
      maxKvTokens: 64,
    });
    try {
      const actual = await allLogits(executor, prompts[0]!.ids);
      expect(shareOfRange(actual, logits[0]!)).toBeLessThan(1e-5);
    } finally {
      await executor.dispose();
      engine.dispose();
    }
  },
);

describe.each(FAMILIES)('$path', (family) => {
  const { path, prompts } = family;

  test('has the same bits in chunks of 3 tokens', async () => {
    const [whole, chunked] = [await familyLogits(family, {}), await familyLogits(family, {}, 3)];
    for (const [i, values] of whole.entries()) expect(haveSameBits(chunked[i]!, values)).toBe(true);
  });

  // Dynamic rotations of transformers keep to the longest sequence that a model has seen, and the script had run others before.
  if (path === 'families/llama-dynamic') return;

  test('continues both prompts at once as its reference does', async () => {
    const model = { model_dir: referencePath(path), dtype: 'float32', max_num_tokens: '16' };
    const requests = prompts.map(({ ids, continuation }, i) =>
      tokenRequest(`${i}`, {
        promptTokenIds: Int32Array.from(ids),
        sampling: GREEDY,
        maxOutputTokens: continuation.length,
        endIds: [],
      }),
    );
    const outcomes = await withModel(model, { maxKvTokens: 128 }, (executor) =>
      outcomesOf(executor, requests),
    );
    for (const [i, { sequences }] of outcomes.entries()) {
      const { continuation } = prompts[i]!;
      expect([...sequences.get(0)!.tokenIds], `prompt ${i}`).toEqual(continuation);
    }
  });
});
