import { expect, test } from 'vitest';
import { namedShape } from '../../../builder/random-weights/shapes.js';
import { benchmarkPlan } from '../../../builder/testing/benchmark-plans.js';
import { attentionMatrices, CACHE_MAP_KEY, qkvMapKey } from './attention-maps.js';

const plan = benchmarkPlan({
  shape: { ...namedShape('llama3_8b'), num_hidden_layers: 2 },
  dtype: 'bf16',
  isInt8: false,
});
const MEMORY = {
  buffer: (opIndex: number) => 0x1000 + opIndex * 0x100,
  rows: () => 512,
  cacheBase: 0x900000,
  blockTokens: 24,
  cacheBytes: 5 * 2 * 2 * 8 * 24 * 128 * 2, // 5 blocks of 2 layers
};

test('every attention op has a map of its input, and the cache one of its vectors', () => {
  const matrices = attentionMatrices(plan, 90, MEMORY);
  const indices = plan.ops.flatMap(({ kind }, index) => (kind === 'pagedAttention' ? [index] : []));
  expect([...matrices.keys()]).toEqual([
    ...indices.map((index) => qkvMapKey(MEMORY.buffer(index))),
    CACHE_MAP_KEY,
  ]);
  expect(indices).toHaveLength(2);
  const qkv = { address: MEMORY.buffer(indices[0]!), rows: 512, columns: (32 + 16) * 128, boxRows: 128 };
  expect(matrices.get(qkvMapKey(MEMORY.buffer(indices[0]!)))).toEqual({ ...qkv, dtype: 'bf16' });
  const cache = { address: 0x900000, rows: 5 * 2 * 2 * 8 * 24, columns: 128, boxRows: 8, dtype: 'bf16' };
  expect(matrices.get(CACHE_MAP_KEY)).toEqual(cache);
});

test('kernels of other devices and caches need none', () => {
  expect(attentionMatrices(plan, 80, MEMORY).size).toBe(0);
  expect(attentionMatrices({ ...plan, kvDtype: 'i8' }, 90, MEMORY).size).toBe(0);
});
