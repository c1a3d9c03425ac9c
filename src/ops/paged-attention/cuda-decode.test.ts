import { describe, expect, it } from 'vitest';
import type { PlanDims } from '../../plan/plan.js';
import { decodeKernelOf, decodeKernelsFor, ringStageCount } from './cuda-decode.js';
import { fixedPieces, pieceTokens } from './cuda-pieces.js';

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

  const H200 = { computeCapability: 90, multiprocessorCount: 132 };
  const piecesOf = (kernels: ReturnType<typeof kernelsOf>, tokens: number) =>
    decodeKernelOf(kernels, tokens).pieces(tokens, H200);

  it('multiply on tensor cores where several query heads share a key head of a cache of activations', () => {
    for (const kvDtype of ['f16', 'bf16'] as const) {
      const { few, many } = kernelsOf(kvDtype, GROUPED);
      expect([few.name, many.name]).toEqual(['attention_decode_tensor_shared', 'attention_decode_tensor']);
    }
    const others = [
      kernelsOf('f8e4m3', GROUPED),
      kernelsOf('f16', GROUPED, 12),
      kernelsOf('f16', { ...GROUPED, headDim: 96 }),
      kernelsOf('f16', { kvHeadCount: 1 }),
      kernelsOf('f16', { headCount: 16, kvHeadCount: 1, headDim: 256 }),
    ];
    for (const { few, many } of others)
      expect([few.name, many.name]).toEqual(['attention_decode_ring', 'attention_decode_ring']);
  });

  it('have slots for all warps of a block that has a multiprocessor, and beside them the sums of those that share', () => {
    for (const headDim of [64, 128, 256])
      for (const kvHeadCount of [16, 8, 4, 2].filter((heads) => (32 / heads) * headDim <= 2048)) {
        const group = 32 / kvHeadCount;
        const { few, many, defines } = kernelsOf('f16', { kvHeadCount, headDim });
        const { TENSOR_WARPS: warps, TENSOR_TOKENS: tokens } = defines;
        const slotBytes = warps! * tokens! * headDim * 4;
        const sumsBytes = 4 * warps! * group * (headDim + 2) + 4;
        for (const [kernel, bytes] of [
          [few, defines['TENSOR_SHARED_SLOTS']! * slotBytes + sumsBytes],
          [many, defines['TENSOR_SLOTS']! * slotBytes],
        ] as const) {
          const problem = { kvHeadCount, decodeItems: 1000 } as Parameters<typeof kernel.launch>[0];
          const { sharedBytes, blockThreads, grid } = kernel.launch(problem, H200, 64);
          expect([sharedBytes, blockThreads, grid[0]]).toEqual([bytes, 32 * warps!, 132]);
          // Of 227 KiB of a multiprocessor.
          expect(sharedBytes).toBeLessThanOrEqual(227 << 10);
        }
      }
  });

  it('take pieces of one length where blocks take them, shorter ones where queries share few key heads', () => {
    for (const blockTokens of [8, 16, 24, 32, 48, 64, 128])
      for (const kvDtype of ['f16', 'f8e4m3'] as const)
        for (const tokens of [9, 1000]) {
          const whole = blockTokens * Math.floor(512 / blockTokens);
          expect(piecesOf(kernelsOf(kvDtype, {}, blockTokens), tokens)).toEqual(fixedPieces(whole));
        }
    expect(piecesOf(kernelsOf('f8e4m3', GROUPED), 16)).toEqual(fixedPieces(256));
    expect(piecesOf(kernelsOf('f16', GROUPED), 8)).toEqual(fixedPieces(512));
    expect(piecesOf(kernelsOf('i8', GROUPED), 8)).toEqual(fixedPieces(128));
    // A piece is held in registers.
    const old = kernelsOf('f16', {}, 48, 80);
    expect([piecesOf(old, 1), old.defines]).toEqual([fixedPieces(128), { PIECE_TOKENS: 128 }]);
  });

  it('cut a long row of few in four or a multiple, each of 256 to 512 tokens', () => {
    for (const kvDtype of ['f16', 'i8', 'f8e4m3'] as const)
      for (const tokens of [1, 8]) {
        const rule = piecesOf(kernelsOf(kvDtype), tokens);
        const lengths = [200, 600, 1100, 2048, 4000].map((length) => pieceTokens(rule, length));
        expect(lengths).toEqual([256, 256, 288, 512, 512]);
      }
  });

  it('cut rows of very many in an even number of pieces, and of fewer where warps share them only above a length', () => {
    const lengthsOf = (tokens: number) => {
      const rule = piecesOf(kernelsOf('i8'), tokens);
      return [500, 1000, 2048, 3000, 4000].map((length) => pieceTokens(rule, length));
    };
    expect(lengthsOf(16)).toEqual([512, 1008, 2048, 3008, 4000]);
    expect(lengthsOf(32)).toEqual(lengthsOf(16));
    expect(lengthsOf(64)).toEqual(lengthsOf(16));
    expect(lengthsOf(160)).toEqual([512, 512, 1024, 752, 1008]);
  });

  it('have teams of warps over an int8 cache, so that few are without work', () => {
    const teamsOf = (dims: object, tokens: readonly number[]) => {
      const { many } = kernelsOf('i8', dims);
      const problem = { kvHeadCount: 32, decodeItems: 1000 } as Parameters<typeof many.launch>[0];
      return tokens.map((count) => many.launch(problem, H200, count).teams?.warps ?? 1);
    };
    expect(teamsOf({}, [9, 16, 17, 33, 65, 1024])).toEqual([3, 3, 3, 2, 1, 1]);
    expect(teamsOf({ headCount: 16, kvHeadCount: 16 }, [9, 17, 33, 65, 129, 193])).toEqual([
      6, 3, 3, 2, 2, 1,
    ]);
    expect(teamsOf({ headCount: 4, kvHeadCount: 4 }, [9])).toEqual([6]);
    // Several query heads a key head, and heads whose sums have no room beside the slots.
    expect([teamsOf(GROUPED, [9]), teamsOf({ headDim: 256 }, [9])]).toEqual([[1], [1]]);
  });

  it('give each warp one piece of an int8 cache at most, where the rows of a class are too few for two', () => {
    const countOf = (dims: object, tokens: number): number => piecesOf(kernelsOf('i8', dims), tokens).count;
    expect([9, 16, 33, 65].map((tokens) => countOf({}, tokens))).toEqual([1, 1, 1, 2]);
    const few = { headCount: 4, kvHeadCount: 4 };
    expect([9, 17, 33].map((tokens) => countOf(few, tokens))).toEqual([4, 2, 1]);
    expect([9, 17, 33, 129].map((tokens) => countOf(GROUPED, tokens))).toEqual([12, 6, 3, 2]);
    // More than four queries a key head: four warps a block.
    expect(countOf({ kvHeadCount: 4 }, 16)).toBe(16);
  });

  it('give each warp one piece of grouped queries at most, of no less than 256 tokens', () => {
    const ruleOf = (kvHeadCount: number, tokens: number) =>
      piecesOf(kernelsOf('f16', { kvHeadCount }), tokens);
    expect([9, 17, 33, 129].map((tokens) => ruleOf(8, tokens).count)).toEqual([8, 4, 2, 2]);
    expect([9, 17, 33, 65].map((tokens) => ruleOf(4, tokens).count)).toEqual([16, 8, 4, 2]);
    expect([300, 1100, 8000].map((length) => pieceTokens(ruleOf(4, 64), length))).toEqual([256, 288, 1008]);
  });

  it('leave room for two blocks of a multiprocessor, whatever the sizes of heads and blocks', () => {
    const target = { computeCapability: 90, multiprocessorCount: 132 };
    for (const headDim of [64, 128, 256])
      for (const blockTokens of [8, 16, 32, 64]) {
        const { many: kernel, defines } = kernelsOf('i8', { headDim }, blockTokens);
        const { sharedBytes, blockThreads, grid } = kernel.launch(
          { kvHeadCount: 32, decodeItems: 1000 } as Parameters<typeof kernel.launch>[0],
          target,
          64,
        );
        expect(sharedBytes).toBeLessThanOrEqual(104 << 10);
        expect(blockThreads).toBe(32 * defines['INT8_WARPS']!);
        expect(grid[0]).toBe(264);
      }
  });
});
