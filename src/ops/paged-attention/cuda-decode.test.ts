import { describe, expect, it } from 'vitest';
import type { PlanDims } from '../../plan/plan.js';
import { decodeKernelsFor, ringStageCount } from './cuda-decode.js';

const LLAMA = { headCount: 32, kvHeadCount: 32, headDim: 128 } as PlanDims;
const GROUPED = { ...LLAMA, kvHeadCount: 8 };
type KvDtype = Parameters<typeof decodeKernelsFor>[0]['kvDtype'];
const kernelsOf = (kvDtype: KvDtype, dims: object = {}, blockTokens = 16, computeCapability = 90) =>
  decodeKernelsFor({ kvDtype, dims: { ...LLAMA, ...dims } }, computeCapability, blockTokens);

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

describe('the kernels of decode attention', () => {
  it('multiply on tensor cores, but for few rows, where an int8 cache fills their operands', () => {
    const slots = [8, 16, 32, 64].map((tokens) => kernelsOf('i8', {}, tokens).defines['INT8_SLOT_BLOCKS']);
    expect(slots).toEqual([4, 2, 1, 1]);
    for (const others of [
      kernelsOf('f16'),
      kernelsOf('f8e4m3'),
      kernelsOf('i8', { headDim: 80 }),
      kernelsOf('i8', {}, 24),
    ])
      expect([others.few.name, others.many.name]).toEqual(['attention_decode_ring', 'attention_decode_ring']);
    expect(kernelsOf('i8', {}, 16, 80).many.name).toBe('attention_decode');
    const { few, many } = kernelsOf('i8');
    expect([few.name, many.name]).toEqual(['attention_decode_ring', 'attention_decode_int8']);
  });

  it('multiply on tensor cores where several query heads share a key head of a cache of activations', () => {
    for (const kvDtype of ['f16', 'bf16'] as const) {
      const { few, many } = kernelsOf(kvDtype, GROUPED);
      expect([few.name, many.name]).toEqual(['attention_decode_ring', 'attention_decode_tensor']);
    }
    const others = [
      kernelsOf('f8e4m3', GROUPED),
      kernelsOf('f16', GROUPED, 12),
      kernelsOf('f16', { ...GROUPED, headDim: 96 }),
      kernelsOf('f16', { kvHeadCount: 1 }),
      kernelsOf('f16', { headCount: 16, kvHeadCount: 1, headDim: 256 }),
    ];
    for (const { many } of others) expect(many.name).toBe('attention_decode_ring');
    const target = { computeCapability: 90, multiprocessorCount: 132 };
    for (const headDim of [64, 128, 256]) {
      const { many: kernel, defines } = kernelsOf('f16', { ...GROUPED, headDim });
      const { TENSOR_WARPS: warps, TENSOR_SLOTS: slots, TENSOR_TOKENS: tokens } = defines;
      const { sharedBytes, blockThreads, grid } = kernel.launch(
        { kvHeadCount: 8, decodeItems: 1000 } as Parameters<typeof kernel.launch>[0],
        target,
      );
      expect([sharedBytes, blockThreads, grid[0]]).toEqual([
        warps! * slots! * tokens! * headDim * 4,
        32 * warps!,
        132,
      ]);
      expect(sharedBytes).toBeLessThanOrEqual(192 << 10);
    }
  });

  it('take pieces of whole cache blocks, shorter ones where queries share few key heads', () => {
    for (const blockTokens of [8, 16, 24, 32, 48, 64, 128])
      for (const kvDtype of ['f16', 'i8', 'f8e4m3'] as const)
        expect(kernelsOf(kvDtype, {}, blockTokens).splitTokens % blockTokens).toBe(0);
    expect([kernelsOf('f16'), kernelsOf('f16', GROUPED)].map(({ splitTokens }) => splitTokens)).toEqual([
      512, 256,
    ]);
    expect([kernelsOf('i8'), kernelsOf('i8', GROUPED)].map(({ splitTokens }) => splitTokens)).toEqual([
      512, 128,
    ]);
    // A lane of a warp for each block of a piece.
    expect(kernelsOf('i8', {}, 8).splitTokens).toBe(256);
  });

  it('leave room for two blocks of a multiprocessor, whatever the sizes of heads and blocks', () => {
    const target = { computeCapability: 90, multiprocessorCount: 132 };
    for (const headDim of [64, 128, 256])
      for (const blockTokens of [8, 16, 32, 64]) {
        const { many: kernel, defines } = kernelsOf('i8', { headDim }, blockTokens);
        const { sharedBytes, blockThreads, grid } = kernel.launch(
          { kvHeadCount: 32, decodeItems: 1000 } as Parameters<typeof kernel.launch>[0],
          target,
        );
        expect(sharedBytes).toBeLessThanOrEqual(104 << 10);
        expect(blockThreads).toBe(32 * defines['INT8_WARPS']!);
        expect(grid[0]).toBe(264);
      }
  });
});
