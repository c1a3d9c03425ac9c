/** Embeddings of published forms of models, against transformers, and by every interface of a server. */
import OpenAI from 'openai';
import { describe, expect, test } from 'vitest';
import { gpusForTests } from '../device/cuda/testing/on-gpu.js';
import { LLM } from '../llm/llm.js';
import { buildTemporaryEngine, DEMO_MODEL } from './build-and-open.js';
import { startDemoServer } from './demo-server.js';
import { DEVICE, onDevice } from './device.js';
import { referenceJson, referencePath } from './reference-data.js';

interface Reference {
  readonly prompts: readonly { readonly ids: readonly number[]; readonly embedding: readonly number[] }[];
}

interface Format {
  readonly name: string;
  readonly flags: Readonly<Record<string, string | true>>;
  /** Largest difference, relative to the length of the embedding. */
  readonly tolerance: number;
  readonly cuda: { readonly tolerance?: number } | null;
}

const FORMATS = onDevice<Format>([
  { name: 'float32', flags: { dtype: 'float32' }, tolerance: 2e-6, cuda: null },
  { name: 'float16', flags: { dtype: 'float16' }, tolerance: 2e-3, cuda: { tolerance: 1e-2 } },
  { name: 'bfloat16', flags: { dtype: 'bfloat16' }, tolerance: 2e-2, cuda: { tolerance: 6e-2 } },
  {
    name: 'int8',
    flags: { dtype: 'float16', use_weight_only: true },
    tolerance: 5e-2,
    cuda: { tolerance: 5e-2 },
  },
]);
const LIMITS = { max_batch_size: '4', max_input_len: '64' };
const CASES = ['qwen3-last', 'mistral-mean', 'llama3-cls'].flatMap((model) =>
  FORMATS.map((format) => ({ model, ...format })),
);

const lengthOf = (values: Iterable<number>): number => Math.hypot(...values);

async function withEmbedder(
  { flags, ranks = 1 }: { readonly flags: Format['flags']; readonly ranks?: number },
  use: (llm: LLM) => Promise<void>,
): Promise<void> {
  const several: Format['flags'] = ranks === 1 ? {} : { tp_size: String(ranks) };
  const engine = await buildTemporaryEngine({ task: 'embed', ...LIMITS, ...flags, ...several });
  try {
    // The checkpoints have no tokenizer, and prompts of ids need none.
    const shareGpu = DEVICE === 'cuda' && gpusForTests() < ranks;
    const llm = await LLM.load(engine.directory, { tokenizerDirectory: DEMO_MODEL, shareGpu });
    try {
      await use(llm);
    } finally {
      await llm.close();
    }
  } finally {
    engine.dispose();
  }
}

async function expectReference(llm: LLM, model: string, tolerance: number): Promise<void> {
  const { prompts } = referenceJson(`embeddings/${model}/reference.json`) as Reference;
  const found = await Promise.all(prompts.map(({ ids }) => llm.embed({ type: 'tokens', tokenIds: ids })));
  for (const [index, { ids, embedding }] of prompts.entries()) {
    const { values, usage } = found[index]!;
    expect(values.length).toBe(embedding.length);
    const differences = embedding.map((value, column) => value - values[column]!);
    expect(lengthOf(differences) / lengthOf(embedding)).toBeLessThan(tolerance);
    expect(usage).toMatchObject({ promptTokens: ids.length, outputTokens: 0 });
  }
}

test.each(CASES)('$model in $name is what transformers computes', async ({ model, flags, tolerance }) => {
  const checkpoint = { ...flags, model_dir: referencePath(`embeddings/${model}`) };
  await withEmbedder({ flags: checkpoint }, (llm) => expectReference(llm, model, tolerance));
});

test('on two ranks embeddings are the same', async () => {
  const [format] = FORMATS;
  const flags = { ...format!.flags, model_dir: referencePath('embeddings/mistral-mean') };
  await withEmbedder({ flags, ranks: 2 }, (llm) => expectReference(llm, 'mistral-mean', format!.tolerance));
});

test('a pooling that is chosen goes before the published one, and long prompts are cut into steps', async () => {
  const flags = {
    dtype: 'float16',
    model_dir: referencePath('embeddings/mistral-mean'),
    max_num_tokens: '16',
  };
  const ids = Array.from({ length: 60 }, (_, index) => 3 + ((index * 7) % 90));
  const prompt = { type: 'tokens', tokenIds: ids } as const;
  const embeddings: Float32Array[] = [];
  for (const pooling of ['mean', 'last', 'cls'])
    await withEmbedder({ flags: { ...flags, pooling } }, async (llm) => {
      const [{ values }, first] = await Promise.all([
        llm.embed(prompt),
        llm.embed({ ...prompt, tokenIds: ids.slice(0, 1) }),
      ]);
      expect(lengthOf(values)).toBeCloseTo(1, 5);
      // The first token knows nothing of the others.
      if (pooling === 'cls')
        expect(lengthOf(values.map((value, i) => value - first.values[i]!))).toBeLessThan(0.02);
      embeddings.push(values);
    });
  expect(new Set(embeddings.map(String)).size).toBe(3);
});

describe('a server', () => {
  test('has them in the OpenAI API and as a model of Triton, and nothing else of this engine', async () => {
    const demo = await startDemoServer({ build: { task: 'embed' } });
    try {
      const openai = new OpenAI({ baseURL: `${demo.httpUrl}/v1`, apiKey: 'none', maxRetries: 0 });
      const model = 'embedding';
      const input = ['The dog runs in the park.', 'x'];
      expect((await openai.models.list()).data.map(({ id }) => id)).toEqual([model]);
      const numbers = await openai.embeddings.create({ model, input, encoding_format: 'float' });
      expect(numbers).toMatchObject({
        object: 'list',
        model,
        usage: { prompt_tokens: 11, total_tokens: 11 },
      });
      expect(numbers.data.map(({ index, object }) => [index, object])).toEqual([
        [0, 'embedding'],
        [1, 'embedding'],
      ]);
      const [dog] = numbers.data.map(({ embedding }) => embedding);
      expect([dog!.length, lengthOf(dog!)]).toEqual([256, expect.closeTo(1, 5)]);
      // The client asks for base64 by itself and decodes it.
      expect((await openai.embeddings.create({ model, input: input[0]! })).data[0]!.embedding).toEqual(
        dog!.map(Math.fround),
      );
      const tokens = await demo.post('/tokenize', { model, prompt: input[0] });
      const ids = ((await tokens.json()) as { tokens: number[] }).tokens;
      const [short] = (
        await openai.embeddings.create({ model, input: [ids], dimensions: 8, encoding_format: 'float' })
      ).data;
      const share = lengthOf(dog!.slice(0, 8));
      expect(short!.embedding.map((value) => value * share)).toEqual(
        dog!.slice(0, 8).map((value) => expect.closeTo(value, 5)),
      );
      const triton = await demo.post(`/v2/models/${model}/generate`, {
        text_input: input[0],
        dimensions: 8,
        return_num_input_tokens: true,
      });
      expect(await triton.json()).toMatchObject({
        embedding: short!.embedding.map((value) => expect.closeTo(value, 5)),
        num_input_tokens: ids.length,
      });
      for (const [body, param, message] of [
        [
          { input: 'a', dimensions: 257 },
          'dimensions',
          /^dimensions must be an integer at least 1 and at most 256/,
        ],
        [{ input: [] }, 'input', /'input'/],
        [{ input: 'a', encoding_format: 'hex' }, 'encoding_format', /'encoding_format'/],
        [{ input: Array.from({ length: 300 }, () => 5) }, 'input', /300/],
      ] as const) {
        const reply = await demo.post('/v1/embeddings', { model, ...body });
        expect([reply.status, await reply.json()]).toEqual([
          400,
          { error: expect.objectContaining({ param, message: expect.stringMatching(message) }) },
        ]);
      }
      await expect(openai.completions.create({ model, prompt: 'a' })).rejects.toThrow(
        /makes embeddings and no text/,
      );
    } finally {
      await demo.close();
    }
  });

  test('of an engine that generates says how to build one that embeds', async () => {
    const demo = await startDemoServer();
    try {
      const reply = await demo.post('/v1/embeddings', { model: 'ensemble', input: 'a' });
      expect([reply.status, await reply.json()]).toEqual([
        400,
        {
          error: expect.objectContaining({
            message: expect.stringMatching(/build the model with '--task embed'/),
          }),
        },
      ]);
    } finally {
      await demo.close();
    }
  });
});
