/** Tiny checkpoints of the model families: logits and greedy continuations are those of their references. */
import { readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { GREEDY } from '../core/sampling.js';
import { tokenRequest } from '../run/batcher/testing/mixed-requests.js';
import { openExecutor } from '../run/ranks/open-engine.js';
import { type BuildFlags, buildTemporaryEngine, withModel } from './build-and-open.js';
import { allLogits, argmaxOfRows, haveSameBits, shareOfRange } from './logits.js';
import { referenceJson, referencePath, referenceTensors } from './reference-data.js';
import { outcomesOf } from './requests.js';

interface Prompt {
  readonly ids: readonly number[];
  readonly argmax: readonly number[];
  readonly continuation: readonly number[];
}

interface Family {
  /** Folder of `oracle/`. */
  readonly path: string;
  readonly prompts: readonly Prompt[];
  /** [tokens, vocabulary] f32 of each prompt. */
  readonly logits: readonly Float32Array[];
}

const FAMILIES: readonly Family[] = ['families', 'chatglm'].flatMap((folder) =>
  readdirSync(referencePath(folder)).map((name) => {
    const path = `${folder}/${name}`;
    const { prompts } = referenceJson(`${path}/reference.json`) as { prompts: readonly Prompt[] };
    const tensors = referenceTensors(`${path}/logits.safetensors`);
    return { path, prompts, logits: prompts.map((_, i) => tensors.get(`prompt${i}.logits`)!) };
  }),
);

/**
 * Largest difference from the float32 reference, as a share of the range of the logits. float32: summation order only (4e-7
 * seen). float16: weights of 11 bits where the checkpoint has more, and the f16 KV cache (8e-4 seen). INT8: a scale for each
 * row of matrices with 48 to 104 inputs (4e-2 seen).
 */
const FORMATS: readonly (readonly [name: string, flags: BuildFlags, tolerance: number])[] = [
  ['float32', { dtype: 'float32' }, 1e-5],
  ['float16', { dtype: 'float16' }, 2e-3],
  ['int8', { dtype: 'float32', use_weight_only: true }, 8e-2],
];

/** Largest error of each row, as a share of the range of all. */
function errorsOfRows(actual: Float32Array, expected: Float32Array, columns: number): number[] {
  const range = expected.reduce((a, b) => Math.max(a, b)) - expected.reduce((a, b) => Math.min(a, b));
  return Array.from({ length: expected.length / columns }, (_, row) => {
    const errors = expected
      .subarray(row * columns, (row + 1) * columns)
      .map((value, i) => Math.abs(actual[row * columns + i]! - value));
    return Math.max(...errors) / range;
  });
}

/** Tokens that may get another expert where two are almost equally likely, and logits of their own with it. */
function maxRerouted({ path, prompts }: Family, prompt: number): number {
  const hasExperts = path.endsWith('mixtral') || path.endsWith('moe');
  return hasExperts ? Math.ceil(0.15 * prompts[prompt]!.ids.length) : 0;
}

async function logitsOf({ path, prompts }: Family, flags: BuildFlags, chunkTokens?: number) {
  return withModel({ model_dir: referencePath(path), ...flags }, { maxKvTokens: 64 }, async (executor) => {
    const logits: Float32Array[] = [];
    for (const { ids } of prompts) logits.push(await allLogits(executor, ids, chunkTokens));
    return { logits, vocabulary: executor.limits.vocabulary };
  });
}

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
  test.each(FORMATS)('has the logits of its reference as %s', async (name, flags, tolerance) => {
    const { logits, vocabulary } = await logitsOf(family, flags);
    for (const [i, values] of logits.entries()) {
      const errors = errorsOfRows(values, family.logits[i]!, vocabulary);
      const changedCount = errors.filter((error) => error >= tolerance).length;
      expect(changedCount, `prompt ${i}`).toBeLessThanOrEqual(name === 'int8' ? maxRerouted(family, i) : 0);
      if (name === 'float32') expect(argmaxOfRows(values, vocabulary)).toEqual(family.prompts[i]!.argmax);
    }
  });

  test('has the same bits in chunks of 3 tokens', async () => {
    const [whole, chunked] = [await logitsOf(family, {}), await logitsOf(family, {}, 3)];
    for (const [i, values] of whole.logits.entries())
      expect(haveSameBits(chunked.logits[i]!, values)).toBe(true);
  });

  // Dynamic rotations of transformers keep to the longest sequence that a model has seen, and the script had run others before.
  if (family.path === 'families/llama-dynamic') return;

  test('continues both prompts at once as its reference does', async () => {
    const model = { model_dir: referencePath(family.path), dtype: 'float32', max_num_tokens: '16' };
    const requests = family.prompts.map(({ ids, continuation }, i) =>
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
      const { continuation } = family.prompts[i]!;
      expect([...sequences.get(0)!.tokenIds], `prompt ${i}`).toEqual(continuation);
    }
  });
});
