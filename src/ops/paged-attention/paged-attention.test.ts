import { describe, expect, it } from 'vitest';
import { buildStep, type StepRow } from '../../core/build-step.js';
import { seededRandom } from '../../core/random.js';
import type { StepInput } from '../../core/step.js';
import { ISA_LEVELS } from '../../device/cpu/isa.js';
import type { CpuPool } from '../../device/cpu/kernel-library.js';
import { withEachLevel } from '../../device/cpu/testing/test-pools.js';
import { addressOf, allocateHost } from '../../ffi/memory.js';
import type { AttentionScores, PlanDims } from '../../plan/plan.js';
import { relativeError } from '../testing/compare.js';
import { createKvLayout, type CpuKvDtype } from '../cpu/kv-layout.js';
import { createStepView } from '../cpu/step-view.js';
import { randomMatrix, type Matrix } from '../matrix.js';
import { bindRopeAppend, RowRotations } from '../rope/cpu.js';
import { ropeAppendReference } from '../rope/reference.js';
import { rotationTable } from '../rope/rotation.js';
import { PAGED_ATTENTION_TOLERANCE } from './contract.js';
import { bindPagedAttention } from './cpu.js';
import { ReferenceKvCache } from './reference-cache.js';
import { pagedAttentionReference } from './reference.js';

const ROPE = { theta: 10_000, scaling: { type: 'none' } } as const;

interface Shape extends AttentionScores {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly blockTokens: number;
  readonly dtype: CpuKvDtype;
}

const dimsOf = ({ heads, kvHeads, headDim }: Shape): PlanDims =>
  ({ layerCount: 1, headCount: heads, kvHeadCount: kvHeads, headDim }) as PlanDims;

/** One sequence of `tokenCount` tokens over scattered blocks. */
class Sequence {
  readonly blocks: readonly number[];
  readonly qkv: Matrix;

  constructor(shape: Shape, tokenCount: number, seed: number) {
    const random = seededRandom(seed);
    const count = Math.ceil(tokenCount / shape.blockTokens);
    const order = Array.from({ length: count }, (_, block) => ({ block, key: random.next() }));
    this.blocks = order.toSorted((a, b) => a.key - b.key).map(({ block }) => block);
    this.qkv = randomMatrix(tokenCount, (shape.heads + 2 * shape.kvHeads) * shape.headDim, random);
    this.qkv.data.forEach((value, i) => (this.qkv.data[i] = 2 * value));
  }
}

/** Runs one layer's append and attention in steps over one cache and returns each step's output. */
function runSteps(
  pool: CpuPool,
  shape: Shape,
  steps: readonly { step: StepInput; qkv: Matrix }[],
  blockCount: number,
) {
  const layout = createKvLayout(dimsOf(shape), shape.dtype, shape.blockTokens);
  // Areas, because an array may be collected as soon as only its address is used.
  const blocks = allocateHost(blockCount * layout.blockStrideBytes);
  const rotated = allocateHost(Math.max(...steps.map(({ qkv }) => qkv.data.byteLength)));
  blocks.bytes(0, blocks.byteLength).fill(0xff); // NaN in f32, f16 and scales
  const table = rotationTable(ROPE, shape.headDim, { positionCount: 2048 });
  const rotations = new RowRotations(8, table);
  const view = createStepView();
  const [append, attend] = [bindRopeAppend(pool.library), bindPagedAttention(pool.library)];
  const outputs = steps.map(({ step, qkv: { data } }) => {
    view.set(step);
    rotated.bytes(0, data.byteLength).set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    const out = new Float32Array(step.tokenCount * shape.heads * shape.headDim);
    const [layer, from] = [blocks.address, rotated.address];
    append(pool.handle, view.address, layout.address, layer, from, shape.heads, rotations.address);
    const { heads, window = 0, softCap = 0 } = shape;
    attend(pool.handle, view.address, layout.address, layer, from, addressOf(out), heads, window, softCap);
    return out;
  });
  blocks.dispose();
  rotated.dispose();
  return outputs;
}

function expectedOutput(shape: Shape, step: StepInput, qkv: Matrix, blockCount: number): Float32Array {
  const cache = new ReferenceKvCache(dimsOf(shape), { ...shape, blockCount });
  const rotated = { ...qkv, data: qkv.data.slice() };
  ropeAppendReference(rotated, step, cache, {
    layer: 0,
    rope: ROPE,
    promptTokens: Array.from({ length: step.rowCount }, () => 0),
  });
  const { window, softCap } = shape;
  const scores = {
    ...(window === undefined ? {} : { window }),
    ...(softCap === undefined ? {} : { softCap }),
  };
  return pagedAttentionReference(rotated, step, cache, { layer: 0, ...scores }).data;
}

const rowOfTokens = (firstPosition: number, count: number, blocks: readonly number[]): StepRow => ({
  slot: 0,
  tokenIds: Array.from({ length: count }, () => 0),
  firstPosition,
  blocks,
});

function part(qkv: Matrix, first: number, count: number): Matrix {
  const { columnCount, data } = qkv;
  return {
    rowCount: count,
    columnCount,
    data: data.slice(first * columnCount, (first + count) * columnCount),
  };
}

const SHAPES: readonly Shape[] = [
  { heads: 1, kvHeads: 1, headDim: 2, blockTokens: 8, dtype: 'f32' },
  { heads: 3, kvHeads: 3, headDim: 24, blockTokens: 8, dtype: 'f16' },
  { heads: 8, kvHeads: 2, headDim: 16, blockTokens: 24, dtype: 'f32' },
  { heads: 8, kvHeads: 1, headDim: 64, blockTokens: 16, dtype: 'f16' },
  { heads: 2, kvHeads: 2, headDim: 128, blockTokens: 32, dtype: 'f16' },
  { heads: 72, kvHeads: 1, headDim: 8, blockTokens: 128, dtype: 'f32' },
  { heads: 1, kvHeads: 1, headDim: 2, blockTokens: 8, dtype: 'i8' },
  { heads: 6, kvHeads: 2, headDim: 24, blockTokens: 24, dtype: 'i8' },
  { heads: 2, kvHeads: 2, headDim: 128, blockTokens: 16, dtype: 'i8' },
  { heads: 3, kvHeads: 3, headDim: 40, blockTokens: 8, dtype: 'f8e4m3' },
  { heads: 8, kvHeads: 1, headDim: 64, blockTokens: 32, dtype: 'f8e4m3' },
  { heads: 4, kvHeads: 2, headDim: 16, blockTokens: 16, dtype: 'f32', window: 1 },
  { heads: 8, kvHeads: 2, headDim: 24, blockTokens: 24, dtype: 'f16', window: 40 },
  { heads: 8, kvHeads: 1, headDim: 64, blockTokens: 8, dtype: 'f16', window: 257, softCap: 3 },
  { heads: 2, kvHeads: 2, headDim: 32, blockTokens: 32, dtype: 'i8', window: 64 },
  { heads: 6, kvHeads: 2, headDim: 16, blockTokens: 16, dtype: 'f32', softCap: 0.5 },
];

describe('pagedAttention on the CPU', () => {
  it.each(SHAPES)('equals the reference for %o', (shape) => {
    for (const tokenCount of [1, 2, 17, 70, 300]) {
      const { blocks, qkv } = new Sequence(shape, tokenCount, tokenCount);
      const step = buildStep([rowOfTokens(0, tokenCount, blocks)]);
      const expected = expectedOutput(shape, step, qkv, blocks.length);
      withEachLevel(2, (pool, isa) => {
        const [actual] = runSteps(pool, shape, [{ step, qkv }], blocks.length);
        const tolerance = PAGED_ATTENTION_TOLERANCE[shape.dtype];
        expect(relativeError(actual!, expected), `${isa}, ${tokenCount} tokens`).toBeLessThan(tolerance);
      });
    }
  });

  it.each(SHAPES)('gives the same bits however a prompt is cut, for %o', (shape) => {
    const tokenCount = 600;
    const { blocks, qkv } = new Sequence(shape, tokenCount, 3);
    withEachLevel(3, (pool, isa) => {
      const runCut = (lengths: readonly number[]): Float32Array => {
        let first = 0;
        const steps = lengths.map((length) => {
          const cut = {
            step: buildStep([rowOfTokens(first, length, blocks)]),
            qkv: part(qkv, first, length),
          };
          first += length;
          return cut;
        });
        return concatenated(runSteps(pool, shape, steps, blocks.length));
      };
      const whole = runCut([tokenCount]);
      expect(equalBits(runCut([100, 1, 300, 199]), whole), isa).toBe(true);
      expect(equalBits(runCut(Array.from({ length: tokenCount }, () => 1)), whole), isa).toBe(true);
    });
  });

  it('gives a sequence the same bits alone and in a batch', () => {
    const shape: Shape = { heads: 8, kvHeads: 2, headDim: 32, blockTokens: 16, dtype: 'f16' };
    const lengths = [1, 40, 300, 513];
    const sequences = lengths.map((length, index) => new Sequence(shape, length, index));
    let blockCount = 0;
    const rows = sequences.map(({ blocks }, index) => {
      const offset = blockCount;
      blockCount += blocks.length;
      return rowOfTokens(
        0,
        lengths[index]!,
        blocks.map((block) => block + offset),
      );
    });
    const qkv = {
      rowCount: 0,
      columnCount: sequences[0]!.qkv.columnCount,
      data: concatenated(sequences.map((sequence) => sequence.qkv.data)),
    };
    withEachLevel(2, (pool, isa) => {
      const [together] = runSteps(pool, shape, [{ step: buildStep(rows), qkv }], blockCount);
      const alone = rows.map((row, index) => {
        const step = buildStep([row]);
        return runSteps(pool, shape, [{ step, qkv: sequences[index]!.qkv }], blockCount)[0]!;
      });
      expect(equalBits(concatenated(alone), together!), isa).toBe(true);
    });
  });

  it('gives the same bits on any number of threads', () => {
    const shape: Shape = { heads: 4, kvHeads: 1, headDim: 64, blockTokens: 16, dtype: 'f32' };
    const { blocks, qkv } = new Sequence(shape, 1200, 5);
    const steps = [
      { step: buildStep([rowOfTokens(0, 1199, blocks)]), qkv: part(qkv, 0, 1199) },
      { step: buildStep([rowOfTokens(1199, 1, blocks)]), qkv: part(qkv, 1199, 1) },
    ];
    const results: Float32Array[] = [];
    for (const threadCount of [1, 2, 5])
      withEachLevel(threadCount, (pool, isa) => {
        if (isa === ISA_LEVELS[1]) results.push(concatenated(runSteps(pool, shape, steps, blocks.length)));
      });
    expect(results.map((result) => equalBits(result, results[0]!))).toEqual([true, true, true]);
  });
});

function equalBits(a: Float32Array, b: Float32Array): boolean {
  return Buffer.compare(Buffer.from(a.buffer), Buffer.from(b.buffer)) === 0;
}

function concatenated(arrays: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(arrays.reduce((sum, array) => sum + array.length, 0));
  let at = 0;
  for (const array of arrays) {
    all.set(array, at);
    at += array.length;
  }
  return all;
}
