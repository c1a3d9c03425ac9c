/** Logits and greedy continuations of tiny checkpoints of the model families are those of transformers. */
import { readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type BuildFlags, withModel } from './build-and-open.js';
import { allLogits, argmaxOfRows, haveSameBits, shareOfRange } from './logits.js';
import { referenceJson, referencePath, referenceTensors } from './reference-data.js';

interface Prompt {
  readonly ids: readonly number[];
  readonly argmax: readonly number[];
  readonly continuation: readonly number[];
}

interface Family {
  readonly name: string;
  readonly prompts: readonly Prompt[];
  /** [tokens, vocabulary] f32 of each prompt. */
  readonly logits: readonly Float32Array[];
}

/** Families whose layers are not built here yet. */
const UNSUPPORTED = ['mixtral', 'qwen3-moe'];

const FAMILIES: readonly Family[] = readdirSync(referencePath('families'))
  .filter((name) => !UNSUPPORTED.includes(name))
  .map((name) => {
    const { prompts } = referenceJson(`families/${name}/reference.json`) as { prompts: readonly Prompt[] };
    const tensors = referenceTensors(`families/${name}/logits.safetensors`);
    return { name, prompts, logits: prompts.map((_, i) => tensors.get(`prompt${i}.logits`)!) };
  });

/** See logits-tiny.test.ts. */
const TOLERANCE = { float32: 1e-5, float16: 2e-3 };

async function logitsOf({ name, prompts }: Family, flags: BuildFlags, chunkTokens?: number) {
  const model = { model_dir: referencePath(`families/${name}`), ...flags };
  return withModel(model, { maxKvTokens: 64 }, async (executor) => {
    const logits: Float32Array[] = [];
    for (const { ids } of prompts) logits.push(await allLogits(executor, ids, chunkTokens));
    return { logits, vocabulary: executor.limits.vocabulary };
  });
}

describe.each(FAMILIES)('logits of $name', (family) => {
  test.each(['float32', 'float16'] as const)('as %s', async (dtype) => {
    const { logits, vocabulary } = await logitsOf(family, { dtype });
    for (const [i, values] of logits.entries()) {
      expect(shareOfRange(values, family.logits[i]!), `prompt ${i}`).toBeLessThan(TOLERANCE[dtype]);
      if (dtype === 'float32') expect(argmaxOfRows(values, vocabulary)).toEqual(family.prompts[i]!.argmax);
    }
  });

  test('in chunks of 3 tokens: the same bits', async () => {
    const [whole, chunked] = [await logitsOf(family, {}), await logitsOf(family, {}, 3)];
    for (const [i, values] of whole.logits.entries())
      expect(haveSameBits(chunked.logits[i]!, values)).toBe(true);
  });
});
