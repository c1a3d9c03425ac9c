import { expect, test } from 'vitest';
import { configFields, namedShape } from '../../builder/random-weights/shapes.js';
import { JsonFile } from '../../builder/checkpoint/json-file.js';
import { parseModelConfig } from '../../builder/checkpoint/model-config.js';
import { resolveBuildOptions } from '../../builder/resolve-options.js';
import { dryBudget, dryBuild, type DryTarget } from './dry-run.js';
import { type MemoryView, memoryAdvice, memoryTable } from './memory-view.js';

const GIB = 2 ** 30;

const CPU: DryTarget = { device: 'cpu', architecture: null };
const H200: DryTarget = { device: 'cuda', architecture: 'sm_90a' };

function llama2(flags: Record<string, string | true>, target = CPU) {
  const given = new Map(Object.entries({ random_weights: 'llama2_7b', ...flags }));
  const config = parseModelConfig(new JsonFile('random weights', configFields(namedShape('llama2_7b'))));
  return dryBuild(config, resolveBuildOptions(given).options, target);
}

/**
 * Bytes of LLaMA-2-7B by hand: 32 layers of 4 h² + 3 h f matrices, lm_head and embedding of 32000 h; INT8 weight-only
 * leaves the last two at 16 bits. A token's K and V are 2 x 32 layers x 4096 numbers.
 */
const LAYERS = 32 * (4 * 4096 * 4096 + 3 * 4096 * 11008);
const HEAD = 32000 * 4096;
const KV_NUMBERS = 2 * 32 * 4096;

test.each([
  ['float16', {}, 2 * (LAYERS + 2 * HEAD)],
  ['INT8 weight-only', { use_weight_only: true }, LAYERS + 4 * HEAD],
  [
    'all INT8',
    { use_weight_only: true, quantize_lm_head: true, quantize_embedding: true },
    LAYERS + 2 * HEAD,
  ],
] as const)('weights of LLaMA-2-7B as %s are within 0.2% of parameters times bytes', (_, flags, expected) => {
  const { weightBytes } = llama2(flags);
  expect(weightBytes).toBeGreaterThanOrEqual(expected);
  expect(weightBytes / expected).toBeLessThan(1.002);
});

test('two ranks have half of the matrices each, and all of the embedding', async () => {
  const [one, two] = [llama2({}), llama2({ tp_size: '2' })];
  const embedding = 2 * HEAD;
  expect((two.weightBytes - embedding) / (one.weightBytes - embedding)).toBeCloseTo(0.5, 3);
  expect((await dryBudget(two, {}, 40 * GIB)).kvBytesPerToken).toBe(KV_NUMBERS);
});

/** The published out-of-memory cells: on 32 GiB, INT8 weights with 16 sequences of 4096 tokens do not fit, with 4 they do. */
test.each([
  [1, 128, 128, true],
  [16, 128, 128, true],
  [4, 2048, 2048, true],
  [16, 2048, 2048, false],
] as const)('batch %i of %i + %i tokens fits into 32 GiB: %s', async (batch, input, output, fits) => {
  const flags = {
    use_weight_only: true,
    max_batch_size: String(batch),
    max_input_len: String(input),
    max_output_len: String(output),
  } as const;
  const budget = await dryBudget(llama2(flags), { kvCacheFreeMemFraction: 1 }, 32 * GIB);
  expect(budget.kvBytesPerToken).toBe(2 * KV_NUMBERS);
  expect(memoryAdvice(budget).startsWith('All')).toBe(fits);
});

/** The last of those cells: with 8-bit KV it fits, even beside float16 weights. */
test.each([
  ['int8', { use_weight_only: true }, true],
  ['fp8', { use_weight_only: true }, true],
  ['int8', {}, true],
  ['fp8', {}, true],
  ['auto', {}, false],
] as const)(
  '16 sequences of 2048 + 2048 tokens, KV cache %s, %j fit into 32 GiB: %s',
  async (kvCache, weights, fits) => {
    const flags = {
      max_batch_size: '16',
      max_input_len: '2048',
      max_output_len: '2048',
      ...weights,
    } as const;
    // A card of 32 GiB, of which the driver keeps 3%.
    const free = 0.97 * 32 * GIB;
    const budget = await dryBudget(
      llama2({ ...flags, kv_cache_dtype: kvCache }),
      { kvCacheFreeMemFraction: 1 },
      free,
    );
    expect(budget.kvBytesPerToken).toBe(kvCache === 'auto' ? 2 * KV_NUMBERS : KV_NUMBERS + 2 * 32 * 32 * 4);
    expect(memoryAdvice(budget).startsWith('All')).toBe(fits);
  },
);

test('the budget counts what the free share holds, and asks for a setting that is enough', async () => {
  const engine = llama2({ use_weight_only: true, max_batch_size: '8' });
  const half = await dryBudget(engine, {}, 20e9);
  const freeBytes = 20e9 - half.weightBytes - half.workspaceBytes;
  expect(half.free).toEqual({ bytes: freeBytes, fraction: 0.5 });
  expect(half.blockCount).toBe(Math.floor(freeBytes / 2 / (16 * 2 * KV_NUMBERS)));
  const share = /--kv_cache_free_mem_fraction (0\.\d+) is enough/.exec(memoryAdvice(half))?.[1];
  const followed = await dryBudget(engine, { kvCacheFreeMemFraction: Number(share) }, 20e9);
  expect(memoryAdvice(followed)).toMatch(/^All 8 sequences .* nothing to change/);
});

test('what limits is what the advice names', async () => {
  const engine = llama2({ use_weight_only: true });
  const capped = await dryBudget(engine, { maxKvTokens: 5000 }, 40 * GIB);
  expect(memoryAdvice(capped)).toMatch(
    /^1 of 8 .*All need 20480 tokens, 10\.0 GiB: raise --max_tokens_in_paged/,
  );
  const scarce = await dryBudget(engine, {}, 12 * GIB);
  expect(memoryAdvice(scarce)).toMatch(/: free \d\.\d\d GiB more, or build an engine that needs less/);
  const nothing = await dryBudget(engine, {}, 6 * GIB);
  expect([nothing.blockCount, nothing.free?.bytes]).toEqual([0, 0]);
});

test('the table adds up', async () => {
  const view: MemoryView = await dryBudget(llama2({}), {}, 40 * GIB);
  expect(view.parts.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(view.weightBytes);
  const table = memoryTable(view);
  expect(table).toMatch(/^weights {10}12\.6 GiB$/m);
  expect(table).toMatch(/^ {2}a token {8}512\.0 KiB$/m);
});

test('on a GPU, the cache has the blocks that an executor measured', async () => {
  const flags = {
    use_weight_only: true,
    max_batch_size: '64',
    max_input_len: '2048',
    max_output_len: '2048',
  } as const;
  const engine = llama2(flags, H200);
  const budget = await dryBudget(engine, { kvCacheFreeMemFraction: 1 }, 31 * 2 ** 30);
  // bench/results/cuda/h200-571b47f-20261126T045418.json, part plan-memory: 3017 blocks under --max_device_memory 31GiB.
  expect(Math.abs(budget.blockCount - 3017)).toBeLessThanOrEqual(2);
  expect((await dryBudget(engine, {}, 32e9)).free?.fraction).toBe(0.9);
});
