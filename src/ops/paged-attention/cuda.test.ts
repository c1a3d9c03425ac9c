import { describe, expect, it } from 'vitest';
import { AloftError } from '../../core/errors.js';
import { kvVectorBytes } from '../../plan/kv-dtype.js';
import type { AttentionScores, PlanDims } from '../../plan/plan.js';
import { cacheDefines, scoreDefines } from './cuda-defines.js';
import {
  prefillKernelFor,
  prefillLaunch,
  prefillSharedBytes,
  wgmmaBoxRows,
  wgmmaSharedBytes,
} from './cuda.js';
import { expandLaunch, keyTileBytes, keyTileRoom, keyTilesOf } from './cuda-expand.js';
import type { AttentionOperands } from './cuda-problem.js';

describe('cacheDefines', () => {
  it('leaves the kernels of a cache of activations as they are', () => {
    expect(cacheDefines({ kvDtype: 'f16', activationDtype: 'f16' }, 7)).toEqual({});
    expect(cacheDefines({ kvDtype: 'bf16', activationDtype: 'bf16' }, 16)).toEqual({});
  });

  it('names the format of 8 bits', () => {
    expect(cacheDefines({ kvDtype: 'i8', activationDtype: 'f16' }, 16)).toEqual({ KV_INT8: 1 });
    expect(cacheDefines({ kvDtype: 'f8e4m3', activationDtype: 'bf16' }, 16)).toEqual({ KV_FP8: 1 });
  });

  it.each([
    ['f32', 'f16', 16, /KV cache of f32 beside activations of f16; build with --kv_cache_dtype auto/],
    ['f16', 'bf16', 16, /KV cache of f16 beside activations of bf16/],
    ['i8', 'f16', 15, /8 bits with blocks of 15 tokens; give --tokens_per_block an even number/],
  ] as const)(
    'refuses a cache of %s beside %s in blocks of %i',
    (kvDtype, activationDtype, tokens, message) => {
      const refused = (): unknown => cacheDefines({ kvDtype, activationDtype }, tokens);
      expect(refused).toThrow(AloftError);
      expect(refused).toThrow(message);
    },
  );
});

const planOf = (
  kvDtype: 'f16' | 'bf16' | 'i8' | 'f8e4m3',
  headDim: number,
  scores: AttentionScores = {},
) => ({
  kvDtype,
  dims: { headDim } as PlanDims,
  ops: [{ kind: 'pagedAttention', qkv: 'qkv', layer: 0, out: 'attended', ...scores }] as const,
});

describe('prefillKernelFor', () => {
  it.each([
    ['f16', 128, 90, 16],
    ['bf16', 64, 90, 8],
    ['f16', 64, 90, 24],
    ['bf16', 128, 90, 256],
    ['i8', 128, 90, 16],
    ['f8e4m3', 64, 90, 6], // no boxes of rows: it is converted
  ] as const)('multiplies by warpgroups: cache %s, head size %i, %i, blocks of %i', (kv, size, cc, block) => {
    expect(prefillKernelFor(planOf(kv, size), cc, block)).toEqual({
      name: 'attention_prefill_wgmma',
      queryTile: 128,
      expands: kv === 'i8' || kv === 'f8e4m3',
    });
  });

  it.each([
    ['f16', 128, 80, 16], // no wgmma before 9.0
    ['f16', 128, 100, 16], // nor after
    ['f16', 128, 120, 16],
    ['f16', 96, 90, 16], // no whole halves of 64 columns
    ['f16', 256, 90, 16], // too many sums for the registers
    ['bf16', 128, 90, 4], // no whole rows of the swizzle pattern
  ] as const)('multiplies by warps: cache %s, head size %i, %i, blocks of %i', (kv, size, cc, block) => {
    expect(prefillKernelFor(planOf(kv, size), cc, block)).toEqual({
      name: 'attention_prefill',
      queryTile: 64,
      expands: false,
    });
  });
});

describe('windows and soft caps', () => {
  it.each([{ window: 64 }, { softCap: 50 }])('multiply by warps: %o', (scores) => {
    expect(prefillKernelFor(planOf('f16', 128, scores), 90, 16).name).toBe('attention_prefill');
  });

  it('are constants of the kernels', () => {
    expect(scoreDefines(planOf('f16', 128))).toEqual({});
    expect(scoreDefines(planOf('f16', 128, { window: 64 }))).toEqual({ HAS_WINDOW: 1 });
    expect(scoreDefines(planOf('f16', 128, { window: 64, softCap: 50 }))).toEqual({
      HAS_WINDOW: 1,
      SOFT_CAP: 50,
    });
  });
});

describe('wgmmaBoxRows', () => {
  it('cuts cache blocks into boxes that a tile of keys consists of', () => {
    for (const blockTokens of [8, 16, 24, 32, 40, 128, 192, 256]) {
      const { cache } = wgmmaBoxRows(blockTokens);
      expect(blockTokens % cache, String(blockTokens)).toBe(0);
      expect(128 % cache, String(blockTokens)).toBe(0);
      expect(cache).toBeGreaterThanOrEqual(8);
    }
    expect(wgmmaBoxRows(16)).toEqual({ qkv: 128, cache: 16 });
  });
});

describe('prefillLaunch', () => {
  const problem = {
    ...{
      headCount: 32,
      kvHeadCount: 8,
      headDim: 128,
      blockTokens: 16,
      blockStride: 4 * 32768,
      headBlockBytes: 8192,
    },
    isQuantised: false,
    maxBlocks: 9,
    window: 0,
    decodeItems: 0,
    prefillTiles: 3,
    keyTiles: 0,
  };
  const target = { computeCapability: 90, multiprocessorCount: 132 };
  const [qkvMap, cacheMap, expandedMap] = [1, 2, 3].map((byte) => new Uint8Array(128).fill(byte));
  const maps = { qkv: qkvMap!, cache: cacheMap!, expanded: expandedMap! };
  const operands: AttentionOperands = {
    ...{
      qkv: 1,
      cache: 2,
      out: 3,
      cosTable: 4,
      sinTable: 5,
      rowOffsets: 6,
      contextLengths: 7,
      blockTables: 8,
    },
    ...{
      decodeItems: 9,
      itemCount: 10,
      prefillTiles: 11,
      keyTiles: 14,
      firstKeyTiles: 15,
      expanded: 16,
      partials: 12,
      arrivals: 13,
      maps,
      layerOffsetBytes: 3 * 65536,
    },
  };

  it('gives the warpgroup kernel at most one block a multiprocessor, and vectors for bytes', () => {
    const kernel = prefillKernelFor(planOf('f16', 128), 90, 16);
    const { grid, sharedBytes, args, kernel: name } = prefillLaunch(kernel, problem, target, operands);
    expect(name).toBe('attention_prefill_wgmma');
    expect(grid).toEqual([96, 1, 1]);
    expect(sharedBytes).toBe(wgmmaSharedBytes(128));
    expect(args).toMatchObject({
      values: {
        qkvMap: maps.qkv,
        cacheMap: maps.cache,
        out: 3,
        rowOffsets: 6,
        contextLengths: 7,
        blockTables: 8,
        tiles: 11,
        taken: 13,
        firstVector: (3 * 65536) / 256,
        blockVectors: (4 * 32768) / 128,
        tileCount: 3,
        heads: 32,
        kvHeads: 8,
        maxBlocks: 9,
      },
    });
    expect(prefillLaunch(kernel, { ...problem, prefillTiles: 40 }, target, operands).grid).toEqual([
      132, 1, 1,
    ]);
  });

  it('attends to expanded keys where tiles of them are expanded', () => {
    const kernel = prefillKernelFor(planOf('i8', 128), 90, 16);
    const expanded = { ...problem, keyTiles: 5 };
    expect(expandLaunch(expanded, operands)).toMatchObject({ kernel: 'expand_cache', grid: [5, 8, 1] });
    const launch = prefillLaunch(kernel, expanded, target, operands);
    expect(launch).toMatchObject({
      kernel: 'attention_prefill_expanded',
      args: { values: { cacheMap: maps.expanded, firstKeyTiles: 15 } },
    });
    expect(prefillLaunch(kernel, problem, target, operands).kernel).toBe('attention_prefill_wgmma');
  });

  it('gives the other kernel a block for each head and tile', () => {
    const kernel = prefillKernelFor(planOf('f16', 128), 80, 16);
    const launch = prefillLaunch(kernel, problem, target, { ...operands, maps: undefined });
    expect(launch).toMatchObject({ kernel: 'attention_prefill', grid: [32, 3, 1] });
  });
});

describe('keyTilesOf', () => {
  const prompt = (contextTokens: number, newTokens = contextTokens) => ({ contextTokens, newTokens });

  it('expands what several tiles of queries see', () => {
    expect(keyTilesOf([prompt(2048)], 100)).toBe(16);
    expect(keyTilesOf([prompt(300), prompt(513), prompt(2048)], 100)).toBe(3 + 5 + 16);
    expect(keyTilesOf([prompt(2048, 512)], 100)).toBe(16);
  });

  it('leaves to each tile of queries what few of them see', () => {
    expect(keyTilesOf([prompt(128), prompt(100)], 100)).toBe(0);
    expect(keyTilesOf([prompt(2048, 100)], 100)).toBe(0);
    expect(keyTilesOf([], 100)).toBe(0);
  });

  it('expands nothing that has no room', () => {
    expect(keyTilesOf([prompt(2048)], 15)).toBe(0);
  });

  it('has room for new prompts of a step and a long one, within bounds', () => {
    const dims = { kvHeadCount: 32, headDim: 128 };
    expect(keyTileRoom(dims, { maxStepTokens: 8192, maxSequenceTokens: 4096 })).toBe(96);
    const most = keyTileRoom(dims, { maxStepTokens: 8192, maxSequenceTokens: 2 ** 20 });
    expect(most * keyTileBytes(dims)).toBe(512 << 20);
  });
});

describe('memory of a multiprocessor', () => {
  it('holds the tiles of the warpgroup kernel: 227 KB', () => {
    for (const headDim of [64, 128]) expect(wgmmaSharedBytes(headDim)).toBeLessThanOrEqual(227 << 10);
  });

  it('holds the pieces of a cache of 8 bits at alignments that bulk copies need', () => {
    for (const headDim of [16, 48, 64, 128, 256])
      for (const blockTokens of [2, 8, 16, 24, 128])
        expect((2 * blockTokens * kvVectorBytes('i8', headDim)) % 16).toBe(0);
  });

  it('takes less for prefill over 8 bits than over 16', () => {
    for (const headDim of [64, 128])
      expect(prefillSharedBytes({ headDim, isQuantised: true })).toBeLessThanOrEqual(
        prefillSharedBytes({ headDim, isQuantised: false }),
      );
    expect(prefillSharedBytes({ headDim: 128, isQuantised: false })).toBe(4 * 64 * 272);
  });
});
