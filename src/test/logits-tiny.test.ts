import { describe, expect, test } from 'vitest';
import { type BuildFlags, withModel } from './build-and-open.js';
import { allLogits, argmaxOfRows, haveSameBits, shareOfRange } from './logits.js';
import { referenceJson, referencePath, referenceTensors } from './reference-data.js';

interface TinyModels {
  readonly models: Readonly<
    Record<string, { readonly ids: readonly number[]; readonly argmax: readonly number[] }>
  >;
}

const { models } = referenceJson('logits-tiny.json') as TinyModels;
const expected = referenceTensors('logits-tiny.safetensors'); // [tokens, vocabulary] f32 each

/**
 * Largest difference from the float32 reference, as a share of the range of the logits. float32: summation order only
 * (5.3e-7 seen). 16 bits: weights of 11 bits where the checkpoint has more, and the f16 KV cache (1.3e-3 seen).
 */
const TOLERANCE = { float32: 1e-5, float16: 2e-3, bfloat16: 2e-3 };

function build(name: string, flags: BuildFlags, chunkTokens?: number) {
  const model = { model_dir: referencePath(`tiny/${name}`), ...flags };
  return withModel(model, { maxKvTokens: 64 }, async (executor) => ({
    logits: await allLogits(executor, models[name]!.ids, chunkTokens),
    vocabulary: executor.limits.vocabulary,
  }));
}

const cases = Object.keys(models).flatMap((name) =>
  (name.endsWith('bf16')
    ? (['float32', 'float16', 'bfloat16'] as const)
    : (['float32', 'float16'] as const)
  ).map((dtype) => ({ name, dtype })),
);

describe('logits of tiny checkpoints are those of transformers', () => {
  test.each(cases)('$name as $dtype', async ({ name, dtype }) => {
    const { logits, vocabulary } = await build(name, { dtype });
    expect(shareOfRange(logits, expected.get(name)!)).toBeLessThan(TOLERANCE[dtype]);
    expect(argmaxOfRows(logits, vocabulary)).toEqual(models[name]!.argmax);
  });

  test.each(Object.keys(models))('%s in chunks of 3 tokens: the same bits', async (name) => {
    const [whole, chunked] = [await build(name, {}), await build(name, {}, 3)];
    expect(haveSameBits(chunked.logits, whole.logits)).toBe(true);
  });

  test('a wrong rotary base would be seen', async () => {
    const { logits } = await build('mha-f32', { dtype: 'float32', rotary_base: '11000' });
    expect(shareOfRange(logits, expected.get('mha-f32')!)).toBeGreaterThan(2e-3);
  });
});
