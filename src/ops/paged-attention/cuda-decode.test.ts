import { describe, expect, it } from 'vitest';
import type { PlanDims } from '../../plan/plan.js';
import { decodeKernelFor, ringStageCount } from './cuda-decode.js';

const LLAMA = { headCount: 32, kvHeadCount: 32, headDim: 128 } as PlanDims;
const GROUPED = { ...LLAMA, kvHeadCount: 8 };
type KvDtype = Parameters<typeof decodeKernelFor>[0]['kvDtype'];
const kernelOf = (kvDtype: KvDtype, dims: object = {}, blockTokens = 16, computeCapability = 90) =>
  decodeKernelFor({ kvDtype, dims: { ...LLAMA, ...dims } }, computeCapability, blockTokens);

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

describe('the kernel of decode attention', () => {
  it('multiplies on tensor cores where an int8 cache fills their operands', () => {
    const slots = [8, 16, 32, 64].map((tokens) => kernelOf('i8', {}, tokens).defines['INT8_SLOT_BLOCKS']);
    expect(slots).toEqual([4, 2, 1, 1]);
    for (const others of [
      kernelOf('f16'),
      kernelOf('f8e4m3'),
      kernelOf('i8', { headDim: 80 }),
      kernelOf('i8', {}, 24),
    ])
      expect(others.name).toBe('attention_decode_ring');
    expect(kernelOf('i8', {}, 16, 80).name).toBe('attention_decode');
  });

  it('takes pieces of whole cache blocks, shorter ones where queries share few key heads', () => {
    for (const blockTokens of [8, 16, 24, 32, 48, 64, 128])
      for (const kvDtype of ['f16', 'i8', 'f8e4m3'] as const)
        expect(kernelOf(kvDtype, {}, blockTokens).splitTokens % blockTokens).toBe(0);
    expect([kernelOf('f16'), kernelOf('f16', GROUPED)].map(({ splitTokens }) => splitTokens)).toEqual([
      512, 256,
    ]);
    expect([kernelOf('i8'), kernelOf('i8', GROUPED)].map(({ splitTokens }) => splitTokens)).toEqual([
      256, 128,
    ]);
  });

  it('leaves room for two blocks of a multiprocessor, whatever the sizes of heads and blocks', () => {
    const target = { computeCapability: 90, multiprocessorCount: 132 };
    for (const headDim of [64, 128, 256])
      for (const blockTokens of [8, 16, 32, 64]) {
        const kernel = kernelOf('i8', { headDim }, blockTokens);
        const { sharedBytes, blockThreads, grid } = kernel.launch(
          { kvHeadCount: 32, decodeItems: 1000 } as Parameters<typeof kernel.launch>[0],
          target,
        );
        expect(sharedBytes).toBeLessThanOrEqual(104 << 10);
        expect(blockThreads).toBe(32 * kernel.defines['INT8_WARPS']!);
        expect(grid[0]).toBe(264);
      }
  });
});
