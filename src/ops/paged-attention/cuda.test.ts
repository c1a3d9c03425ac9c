import { describe, expect, it } from 'vitest';
import { ringStageCount, splitTokensFor } from './cuda.js';

describe('ringStageCount', () => {
  it('is a multiple of the warps that share it, so that a slot always serves the same warp', () => {
    for (const stageBytes of [1024, 2048, 6144, 8192, 16384, 65536, 131072]) {
      const count = ringStageCount(stageBytes, 128 << 10);
      expect(count % Math.min(8, count), String(stageBytes)).toBe(0);
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
});
