import { describe, expect, it } from 'vitest';
import { namedShape } from '../../../builder/random-weights/shapes.js';
import { benchmarkPlan } from '../../../builder/testing/benchmark-plans.js';
import { buildStep } from '../../../core/build-step.js';
import type { DescriptorField } from '../../../ops/cuda/step-fields.js';
import { fixedPieces } from '../../../ops/paged-attention/cuda-pieces.js';
import { attentionSplit, countAttentionWork, descriptorLayout, fillDescriptor } from './step-descriptor.js';

const SPLIT = { pieces: () => fixedPieces(32), queryTile: 64, keyTileRoom: 0 };

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
    // Row and piece; pieces and tokens of each; tokens of the row; place of the new one.
    const listed = [0, 1, 2].flatMap((piece) => [piece, (3 << 16) | 32, 70, 0]);
    expect(field('decodeItems', 12)).toEqual(listed);
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
    const split = { ...SPLIT, pieces: () => fixedPieces(128), queryTile: 128, keyTileRoom: 10 };
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

  it('cuts a row by its own length and the class of the number of tokens alone', () => {
    const shape = namedShape('llama2_7b');
    const plan = { ...benchmarkPlan({ shape, dtype: 'f16', weights: 'int8' }), kvDtype: 'i8' } as const;
    const limits = { blockTokens: 16, maxStepTokens: 64, maxSequenceTokens: 4096 };
    const split = attentionSplit(plan, { computeCapability: 90, multiprocessorCount: 132 }, limits);
    const piecesOf = (lengths: readonly number[]): number[][] => {
      const rows = lengths.map((length, slot) => ({
        ...{ slot, tokenIds: [-1], firstPosition: length - 1 },
        blocks: Array.from({ length: Math.ceil(length / 16) }, (_, block) => block),
      }));
      const decode = buildStep(rows);
      const { decodeItems } = countAttentionWork(decode, split);
      const [tokens, logits] = [lengths.length, lengths.length];
      const capacity = {
        tokens,
        rows: tokens,
        logits,
        decodeItems,
        prefillTiles: 0,
        keyTiles: 0,
        maxBlocks: 256,
      };
      const layout = descriptorLayout(capacity);
      const words = new Int32Array(layout.length);
      fillDescriptor(words, layout, decode, split);
      expect(words[layout.offsets.itemCount]).toBe(decodeItems);
      const found: number[][] = lengths.map(() => []);
      for (let i = 0; i < decodeItems; i++) {
        const at = layout.offsets.decodeItems + 4 * i;
        found[words[at]! >> 16]!.push(words[at + 1]! & 0xffff);
        expect(words[at + 1]! >> 16).toBe(Math.ceil(words[at + 2]! / (words[at + 1]! & 0xffff)));
      }
      return found;
    };
    const others = (count: number, length: number): number[] => Array.from({ length: count }, () => length);
    // 16 rows of 32 heads are 512 units, each of which three of 1,584 warps share.
    for (const length of [1, 128, 129, 500, 2048, 4000]) {
      const alone = piecesOf([length, ...others(8, 7)])[0];
      expect(piecesOf([length, ...others(15, 4000)])[0], String(length)).toEqual(alone);
    }
    expect(piecesOf([1, 256, 257, 500, 2048, 4000, 60, 60, 60]).slice(0, 6)).toEqual([
      ...[512, 512, 512, 512, 2048, 4000].map((tokens) => [tokens]),
    ]);
    // In a class of few rows, and in ones of many.
    expect(piecesOf([2048, ...others(7, 60)])[0]).toEqual([512, 512, 512, 512]);
    expect(piecesOf([4000, ...others(20, 60)])[0]).toEqual([4000]);
    expect(piecesOf([4000, ...others(60, 60)])[0]).toEqual([4000]);
    expect(piecesOf([2048, ...others(64, 60)])[0]).toEqual([1024, 1024]);
  });
});
