import { describe, expect, it } from 'vitest';
import { buildStep } from '../../core/build-step.js';
import { BYTES_PER_ELEMENT, e4m3ToFloat, floatToHalf, halfToFloat } from '../../core/dtype.js';
import { seededRandom } from '../../core/random.js';
import { withEachLevel } from '../../device/cpu/testing/test-pools.js';
import { addressOf } from '../../ffi/memory.js';
import { isQuantisedKv } from '../../plan/kv-dtype.js';
import type { PlanDims, RopeParams } from '../../plan/plan.js';
import { relativeError } from '../testing/compare.js';
import { CPU_KV_DTYPES, createKvLayout, type CpuKvDtype } from '../cpu/kv-layout.js';
import { createStepView } from '../cpu/step-view.js';
import { randomMatrix } from '../matrix.js';
import { ReferenceKvCache } from '../paged-attention/reference-cache.js';
import { ROPE_TOLERANCE } from './contract.js';
import { bindRopeAppend, RowRotations } from './cpu.js';
import { quantiseKv, storedKv } from './quantise-kv.js';
import { ropeAppendReference } from './reference.js';
import { inverseFrequencies, rotationTable } from './rotation.js';

const PLAIN: RopeParams = { theta: 10_000, scaling: { type: 'none' } };

// Expected values: Hugging Face transformers' ROPE_INIT_FUNCTIONS, evaluated by hand for the first, a middle and the last pair.
describe('inverse frequencies', () => {
  it('are powers of theta', () => {
    expect([...inverseFrequencies(PLAIN, 8, 5)]).toEqual(
      [1, 0.1, 0.01, 0.001].map((x) => expect.closeTo(x, 12)),
    );
  });

  it('are divided by a linear factor', () => {
    const scaled = inverseFrequencies({ theta: 10_000, scaling: { type: 'linear', factor: 4 } }, 8, 5);
    expect([...scaled]).toEqual([0.25, 0.025, 0.0025, 0.00025].map((x) => expect.closeTo(x, 12)));
  });

  it('keep the short wavelengths of llama3, stretch the long ones and blend between', () => {
    const scaling = {
      type: 'llama3',
      factor: 8,
      lowFrequencyFactor: 1,
      highFrequencyFactor: 4,
      originalMaxPositions: 8192,
    } as const;
    const plain = inverseFrequencies({ theta: 500_000, scaling: { type: 'none' } }, 128, 0);
    const scaled = inverseFrequencies({ theta: 500_000, scaling }, 128, 0);
    const ratios = plain.map((frequency, pair) => scaled[pair]! / frequency);
    // Wavelength 2 pi 500000^(pair / 64): above 2048 from pair 29 on, above 8192 from pair 35 on.
    expect(ratios.slice(0, 29).every((ratio) => ratio === 1)).toBe(true);
    const wavelength = 2 * Math.PI * 500_000 ** (32 / 64);
    const smooth = (8192 / wavelength - 1) / 3;
    expect(ratios[32]).toBeCloseTo((1 - smooth) / 8 + smooth, 12);
    expect(ratios.slice(35).every((ratio) => Math.abs(ratio - 1 / 8) < 1e-12)).toBe(true);
  });

  it('grow theta with the sequence when dynamic', () => {
    const rope: RopeParams = {
      theta: 10_000,
      scaling: { type: 'dynamic', factor: 2, originalMaxPositions: 16 },
    };
    expect(inverseFrequencies(rope, 8, 16)).toEqual(inverseFrequencies(PLAIN, 8, 16));
    const theta = 10_000 * ((2 * 24) / 16 - 1) ** (8 / 6);
    expect(inverseFrequencies(rope, 8, 24)[3]).toBeCloseTo(theta ** (-6 / 8), 12);
    const cosine = (position: number, promptTokens: number): number =>
      rotationTable(rope, 8, { positionCount: 24, promptTokens }).cos[position * 4 + 1]!;
    expect(cosine(23, 0)).toBeCloseTo(Math.cos(23 * theta ** (-2 / 8)), 6);
    expect(cosine(10, 16)).toBeCloseTo(Math.cos(10 * 0.1), 6);
    expect(cosine(10, 24)).toBeCloseTo(Math.cos(10 * theta ** (-2 / 8)), 6);
  });
});

interface Shape {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly blockTokens: number;
}

const SHAPES: readonly Shape[] = [
  { heads: 1, kvHeads: 1, headDim: 2, blockTokens: 8 },
  { heads: 4, kvHeads: 2, headDim: 40, blockTokens: 16 },
  { heads: 8, kvHeads: 1, headDim: 64, blockTokens: 24 },
  { heads: 2, kvHeads: 2, headDim: 128, blockTokens: 128 },
];

describe('ropeAppend on the CPU', () => {
  it.each(SHAPES.flatMap((shape) => CPU_KV_DTYPES.map((dtype) => ({ ...shape, dtype }))))(
    'equals the reference for %o',
    ({ heads, kvHeads, headDim, blockTokens, dtype }) => {
      const dims = { layerCount: 2, headCount: heads, kvHeadCount: kvHeads, headDim } as PlanDims;
      const step = buildStep([
        {
          slot: 0,
          tokenIds: Array.from({ length: 37 }, () => 0),
          firstPosition: 5,
          blocks: [7, 0, 3, 9, 2, 5],
        },
        { slot: 1, tokenIds: [0], firstPosition: 2 * blockTokens - 1, blocks: [8, 4] },
      ]);
      const qkv = randomMatrix(step.tokenCount, (heads + 2 * kvHeads) * headDim, seededRandom(headDim));
      const expected = { ...qkv, data: qkv.data.slice() };
      const cache = new ReferenceKvCache(dims, { blockCount: 10, blockTokens, dtype });
      ropeAppendReference(expected, step, cache, { layer: 1, rope: PLAIN, promptTokens: [0, 0] });

      const layout = createKvLayout(dims, dtype, blockTokens);
      const table = rotationTable(PLAIN, headDim, { positionCount: 400 });
      const rotations = new RowRotations(2, table);
      const view = createStepView();
      view.set(step);
      withEachLevel(2, (pool, isa) => {
        const actual = qkv.data.slice();
        const blocks = new Uint8Array(10 * layout.blockStrideBytes);
        const layer = addressOf(blocks) + layout.layerStrideBytes;
        const to = addressOf(actual);
        bindRopeAppend(pool.library)(
          pool.handle,
          view.address,
          layout.address,
          layer,
          to,
          heads,
          rotations.address,
        );
        expect(relativeError(actual, expected.data), isa).toBeLessThan(ROPE_TOLERANCE);
        const stored = storedTokens(blocks, actual, { dims, dtype, blockTokens });
        expect(stored.actual, isa).toEqual(stored.expected);
      });
    },
  );
});

/** Keys and values of the second row's token as block 4 of layer 1 gives them back, and as the kernel's qkv says. */
function storedTokens(
  blocks: Uint8Array,
  qkv: Float32Array,
  { dims, dtype, blockTokens }: { dims: PlanDims; dtype: CpuKvDtype; blockTokens: number },
) {
  const layout = createKvLayout(dims, dtype, blockTokens);
  const { headCount, kvHeadCount, headDim } = dims;
  const start = 4 * layout.blockStrideBytes + layout.layerStrideBytes;
  const [valuesAt, scalesAt] = [start + layout.valueOffsetBytes, start + layout.scaleOffsetBytes];
  const token = qkv.subarray(-(headCount + 2 * kvHeadCount) * headDim);
  const offset = blockTokens - 1;
  const [actual, expected]: [number[][], number[][]] = [[], []];
  const compare = (at: number, stride: number, scaleIndex: number, column: number): void => {
    const scale = isQuantisedKv(dtype) ? new Float32Array(blocks.buffer, scalesAt)[scaleIndex]! : 1;
    actual.push(Array.from({ length: headDim }, (_, i) => elementAt(blocks, dtype, at, i * stride) * scale));
    expected.push([...stored(token.slice(column * headDim, (column + 1) * headDim), dtype)]);
  };
  for (let head = 0; head < kvHeadCount; head++) {
    const [first, scale] = [head * blockTokens, head * blockTokens + offset];
    const keyAt = start + (first * headDim + offset) * BYTES_PER_ELEMENT[dtype];
    const valueAt = valuesAt + (first + offset) * layout.valueStride * BYTES_PER_ELEMENT[dtype];
    compare(keyAt, blockTokens, scale, headCount + head);
    compare(valueAt, 1, kvHeadCount * blockTokens + scale, headCount + kvHeadCount + head);
  }
  return { actual: actual.map(toFloats), expected };
}

const toFloats = (values: number[]): number[] => [...Float32Array.from(values)];

function elementAt(blocks: Uint8Array, dtype: CpuKvDtype, at: number, index: number): number {
  const view = new DataView(blocks.buffer, at + index * BYTES_PER_ELEMENT[dtype]);
  switch (dtype) {
    case 'f32':
      return view.getFloat32(0, true);
    case 'f16':
      return halfToFloat(view.getUint16(0, true));
    case 'i8':
      return view.getInt8(0);
    case 'f8e4m3': // the scale has the factor 2^8
      return e4m3ToFloat(view.getUint8(0)) * 2 ** -8;
  }
}

/** Vector as a cache gives it back. */
function stored(vector: Float32Array, dtype: CpuKvDtype): Float32Array {
  if (isQuantisedKv(dtype)) return storedKv(vector, dtype);
  return dtype === 'f16' ? vector.map((x) => halfToFloat(floatToHalf(x))) : vector;
}

describe('keys and values in 8 bits', () => {
  it('keep the largest element, round to nearest even and stop at the last code', () => {
    const vector = Float32Array.of(-8, 4, 0.031, 0.0316, 0);
    expect([...quantiseKv(vector, 'i8').numbers]).toEqual([-127, 64, 0, 1, 0]);
    expect([...quantiseKv(vector, 'f8e4m3').numbers]).toEqual([-448, 224, 1.75, 1.75, 0]);
    expect(quantiseKv(vector, 'i8').scale).toBeCloseTo(8 / 127, 9);
    expect([...storedKv(new Float32Array(3), 'i8')]).toEqual([0, 0, 0]);
    expect([...storedKv(Float32Array.of(1e-35, -1e-38), 'f8e4m3')].map(Math.abs)).toEqual([0, 0]);
  });

  it('lose at most half a step of int8, and a sixteenth of an element of fp8', () => {
    const { data } = randomMatrix(1, 4096, seededRandom(3));
    const largest = data.reduce((max, x) => Math.max(max, Math.abs(x)), 0);
    const errors = (dtype: 'i8' | 'f8e4m3') => storedKv(data, dtype).map((x, i) => Math.abs(x - data[i]!));
    expect(errors('i8').every((error) => error <= (largest / 254) * 1.0001)).toBe(true);
    const step = (x: number) => Math.max(Math.abs(x) / 16, (largest / 448) * 2 ** -10);
    expect(errors('f8e4m3').every((error, i) => error <= step(data[i]!) * 1.0001)).toBe(true);
  });
});
