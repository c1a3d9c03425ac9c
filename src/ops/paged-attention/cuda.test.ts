import { describe, expect, it } from 'vitest';
import { AloftError } from '../../core/errors.js';
import { kvVectorBytes } from '../../plan/kv-dtype.js';
import { cacheDefines, prefillSharedBytes, ringStageCount, splitTokensFor } from './cuda.js';

describe('ringStageCount', () => {
  it('is a multiple of the warps that share it, so that a slot always serves the same warp', () => {
    for (const warps of [6, 8])
      for (const stageBytes of [1024, 2048, 6144, 8192, 16384, 65536, 131072]) {
        const count = ringStageCount(stageBytes, 128 << 10, warps);
        expect(count % Math.min(warps, count), String(stageBytes)).toBe(0);
        expect(count).toBeGreaterThan(0);
      }
  });
});

describe('splitTokensFor', () => {
  it('is whole cache blocks on devices with bulk copies', () => {
    for (const blockTokens of [8, 16, 24, 48, 128])
      expect(
        splitTokensFor({ computeCapability: 90, multiprocessorCount: 132 }, 1, blockTokens) % blockTokens,
      ).toBe(0);
  });

  it('gives grouped queries, which have fewer key heads, smaller pieces', () => {
    const target = { computeCapability: 90, multiprocessorCount: 132 };
    expect(splitTokensFor(target, 1, 16)).toBe(512);
    expect(splitTokensFor(target, 4, 16)).toBe(256);
  });
});

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

describe('memory of a multiprocessor', () => {
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
