import { describe, expect, it } from 'vitest';
import { buildStep } from '../../../core/build-step.js';
import type { DescriptorField } from '../../../ops/cuda/step-fields.js';
import { countAttentionWork, descriptorLayout, fillDescriptor } from './step-descriptor.js';

const SPLIT = { splitTokens: 32, queryTile: 64, keyTileRoom: 0 };

describe('descriptor', () => {
  const step = buildStep([
    { slot: 3, tokenIds: [-1], firstPosition: 69, blocks: [4, 5, 6, 7, 8] },
    { slot: 1, tokenIds: Array.from({ length: 70 }, (_, i) => i), firstPosition: 0, blocks: [0, 1, 2, 3, 9] },
  ]);

  it('counts pieces of decode and prefill attention', () => {
    expect(countAttentionWork(step, SPLIT)).toEqual({
      decodeItems: 3,
      prefillTiles: 2,
      keyTiles: 0,
      isDecode: false,
    });
    const decode = buildStep([{ slot: 0, tokenIds: [-1], firstPosition: 31, blocks: [0, 1] }]);
    expect(countAttentionWork(decode, SPLIT)).toEqual({
      decodeItems: 1,
      prefillTiles: 0,
      keyTiles: 0,
      isDecode: true,
    });
  });

  it('places every field and makes the rest harmless', () => {
    const items = { decodeItems: 8, prefillTiles: 2, keyTiles: 0 };
    const capacity = { tokens: 80, rows: 4, logits: 4, ...items, maxBlocks: 6 };
    const layout = descriptorLayout(capacity);
    const words = new Int32Array(layout.length).fill(77);
    fillDescriptor(words, layout, step, SPLIT);
    const field = (name: DescriptorField, count: number): number[] =>
      Array.from(words.subarray(layout.offsets[name], layout.offsets[name] + count));
    expect(field('itemCount', 1)).toEqual([3]);
    expect(field('decodeItems', 3)).toEqual([0, 1, 2]);
    expect(field('prefillTiles', 2)).toEqual([(1 << 16) | 1, 1 << 16]);
    expect(field('rowOffsets', 5)).toEqual([0, 1, 71, 3, 4]);
    expect(field('rowSlots', 4)).toEqual([3, 1, -1, -1]);
    expect(field('contextLengths', 4)).toEqual([70, 70, 0, 0]);
    expect(field('tokenRows', 72)).toEqual([0, ...Array.from({ length: 70 }, () => 1), 3]);
    expect(field('logitTokens', 2)).toEqual([0, 70]);
    expect(field('blockTables', 5)).toEqual([4, 5, 6, 7, 8]);
    expect(words.subarray(layout.offsets.blockTables + 6).slice(0, 5)).toEqual(Int32Array.of(0, 1, 2, 3, 9));
  });

  it('lists the tiles of keys that are expanded, and for each tile of queries the first of its row', () => {
    const prompts = [600, 1, 300].map((count, slot) => ({
      slot,
      tokenIds: Array.from({ length: count }, () => 5),
      firstPosition: slot === 1 ? 99 : 0,
      blocks: [slot],
    }));
    const expanding = buildStep(prompts);
    const split = { splitTokens: 128, queryTile: 128, keyTileRoom: 10 };
    const { decodeItems, prefillTiles, keyTiles } = countAttentionWork(expanding, split);
    expect([decodeItems, prefillTiles, keyTiles]).toEqual([1, 8, 8]);
    const capacity = { tokens: 901, rows: 3, logits: 3, decodeItems, prefillTiles, keyTiles, maxBlocks: 1 };
    const layout = descriptorLayout(capacity);
    const words = new Int32Array(layout.length);
    fillDescriptor(words, layout, expanding, split);
    const field = (name: DescriptorField, count: number): number[] =>
      Array.from(words.subarray(layout.offsets[name], layout.offsets[name] + count));
    const third = 2 << 16;
    expect(field('keyTiles', 8)).toEqual([0, 1, 2, 3, 4, third, third | 1, third | 2]);
    expect(field('firstKeyTiles', 8)).toEqual([0, 0, 0, 0, 0, 5, 5, 5]);
    expect(countAttentionWork(expanding, { ...split, keyTileRoom: 7 }).keyTiles).toBe(0);
  });
});
