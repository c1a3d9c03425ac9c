import { describe, expect, it } from 'vitest';
import { bfloat16ToFloat, floatToBfloat16, floatToHalf, halfToFloat } from '../../core/dtype.js';
import { seededRandom } from '../../core/random.js';
import { withEachLevel } from '../../device/cpu/testing/test-pools.js';
import { addressOf } from '../../ffi/memory.js';
import { relativeError } from '../testing/compare.js';
import { randomMatrix, rowOf, zeroMatrix, type Matrix } from '../matrix.js';
import { LINEAR_TOLERANCE } from './contract.js';
import { elementOf, type FormatName, isQuantised, NAMED_FORMATS } from '../../plan/weight-format.js';
import { bindLinear } from './cpu/cpu.js';
import {
  linearFp8Reference,
  linearGroupedReference,
  linearInt8Reference,
  linearReference,
  quantiseFp8Row,
  quantiseGroups,
  restoreFp8,
  quantiseRow,
} from './reference.js';
import { packWeight, sourceOf } from './testing/test-weights.js';

/** [in, out]: one, odd, just off the sizes of tiles, and the longest row of LLaMA-2-7B. */
const SHAPES = [
  [1, 1],
  [7, 3],
  [32, 16],
  [33, 17],
  [64, 48],
  [100, 50],
  [257, 129],
  [1024, 96],
  [11008, 40],
] as const;
const TOKEN_COUNTS = [1, 2, 3, 5, 8, 9, 16, 17, 64, 200];
/** A format of weights, and bits of inputs where they are fewer than always. */
interface Form {
  readonly format: FormatName;
  readonly inputBits?: 8;
}
const NAMES: readonly FormatName[] = [
  ...(['f32', 'f16', 'bf16', 'int8', 'fp8'] as const),
  ...(['int4', 'int4_g64', 'int4_g32', 'int4_zeros', 'int4_g64_zeros', 'int4_g32_zeros'] as const),
];
const BYTES: Form = { format: 'int8', inputBits: 8 };
const FORMS: readonly (readonly [name: string, Form])[] = [
  ...NAMES.map((format) => [format, { format }] as const),
  ['int8 by inputs of 8 bits', BYTES],
];

/** The values that a dense format stores. */
const ROUNDED: Readonly<Record<'f32' | 'f16' | 'bf16', (value: number) => number>> = {
  f32: (value) => value,
  f16: (value) => halfToFloat(floatToHalf(value)),
  bf16: (value) => bfloat16ToFloat(floatToBfloat16(value)),
};

function expectedOf(
  { format: name, inputBits }: Form,
  x: Matrix,
  weight: Matrix,
  bias: Float32Array | undefined,
): Matrix {
  const format = NAMED_FORMATS[name];
  if (!isQuantised(format))
    return linearReference(x, { ...weight, data: weight.data.map(ROUNDED[format.dtype]) }, bias);
  const rows = Array.from({ length: weight.rowCount }, (_, row) => rowOf(weight, row));
  if (format.element === 'fp8') return linearFp8Reference(x, rows.map(quantiseFp8Row), bias);
  if (format.group === null) return linearInt8Reference(x, rows.map(quantiseRow), bias, inputBits);
  return linearGroupedReference(
    x,
    rows.map((row) => quantiseGroups(row, format)),
    bias,
  );
}

/** Whether kernels of a level have the bits of the reference: others add in another order. */
function isExact({ format: name }: Form, level: string): boolean {
  const format = NAMED_FORMATS[name];
  return isQuantised(format) && (format.element !== 'fp8' || level.startsWith('avx'));
}

/** Runs all levels on the first tokens of `x`. */
function runLevels(
  { format, inputBits }: Form,
  x: Matrix,
  weight: Matrix,
  bias: Float32Array | undefined,
  check: (out: Matrix, level: string, tokenCount: number) => void,
): void {
  withEachLevel(2, (pool, level) => {
    const packed = packWeight(pool, sourceOf('f32', weight.data, weight), format);
    const biasAddress = bias === undefined ? 0 : addressOf(bias);
    const linear = bindLinear(pool.library, pool.handle)({ ...packed.weight, bias: biasAddress, inputBits });
    for (const tokenCount of TOKEN_COUNTS) {
      const out = zeroMatrix(tokenCount + 1, weight.rowCount);
      out.data.fill(-7);
      linear(tokenCount, addressOf(x.data), addressOf(out.data));
      check(out, level, tokenCount);
    }
    packed.dispose();
  });
}

describe.each(FORMS)('linear with %s weights on the CPU', (_, form) => {
  const { format } = form;
  it.each(SHAPES)('equals the reference for %i inputs and %i outputs', (inCount, outCount) => {
    const random = seededRandom(inCount * 1000 + outCount);
    const weight = randomMatrix(outCount, inCount, random);
    const bias = outCount % 2 === 0 ? randomMatrix(1, outCount, random).data : undefined;
    const x = randomMatrix(Math.max(...TOKEN_COUNTS), inCount, random);
    const expected = expectedOf(form, x, weight, bias);
    runLevels(form, x, weight, bias, (out, level, tokenCount) => {
      const wanted = expected.data.subarray(0, tokenCount * outCount);
      const actual = out.data.subarray(0, wanted.length);
      const where = `${level}, ${tokenCount} tokens`;
      if (isExact(form, level)) expect(actual, where).toEqual(wanted);
      else
        expect(relativeError(actual, wanted), where).toBeLessThan(
          LINEAR_TOLERANCE[elementOf(NAMED_FORMATS[format])],
        );
      // Nothing beyond the last token is touched.
      expect(rowOf(out, tokenCount), where).toEqual(new Float32Array(outCount).fill(-7));
    });
  });

  it('gives a token the same bits in every batch', () => {
    const random = seededRandom(5);
    const weight = randomMatrix(80, 300, random);
    const x = randomMatrix(Math.max(...TOKEN_COUNTS), 300, random);
    const first = new Map<string, Float32Array>();
    runLevels(form, x, weight, undefined, (out, level, tokenCount) => {
      // The one exception: f16 has two kernels at this level.
      const kernel = format === 'f16' && level === 'amx' && tokenCount <= 4 ? 'few tokens' : level;
      if (!first.has(kernel)) first.set(kernel, rowOf(out, 0).slice());
      expect(rowOf(out, 0), kernel).toEqual(first.get(kernel));
    });
  });
});

describe('quantised linear', () => {
  it('of int8 is near the unquantised activations, outliers included', () => {
    const random = seededRandom(9);
    const weight = randomMatrix(64, 512, random);
    const x = randomMatrix(16, 512, random);
    for (let t = 0; t < x.rowCount; t++) x.data[t * 512 + 17] = 100; // a channel far above the others
    const rows = Array.from({ length: 64 }, (_, row) => quantiseRow(rowOf(weight, row)));
    const restored = zeroMatrix(64, 512);
    for (const [row, { quantised, scale }] of rows.entries()) {
      rowOf(restored, row).set(Float32Array.from(quantised, (q) => q * scale));
    }
    const actual = linearInt8Reference(x, rows).data;
    // 8-bit activations would be off by 0.1 here.
    expect(relativeError(actual, linearReference(x, restored).data)).toBeLessThan(1e-3);
  });

  it.each([{ format: 'int8' }, BYTES, { format: 'int4' }, { format: 'int4_g32_zeros' }] as const)(
    'of %o makes all outputs of a token NaN when an activation is, and of no other',
    (form: Form) => {
      const random = seededRandom(3);
      const weight = randomMatrix(40, 70, random);
      const x = randomMatrix(Math.max(...TOKEN_COUNTS), 70, random);
      x.data[70 + 5] = NaN;
      x.data[2 * 70 + 69] = Infinity;
      runLevels(form, x, weight, undefined, (out, level, tokenCount) => {
        for (let t = 0; t < tokenCount; t++) {
          const isNaN = rowOf(out, t).every((value) => Number.isNaN(value));
          expect(isNaN, `${level}, token ${t} of ${tokenCount}`).toBe(t === 1 || t === 2);
        }
      });
    },
  );

  it.each<[Form, number]>([
    [{ format: 'int8' }, 1],
    [{ format: 'fp8' }, 448],
    [BYTES, 1],
    [{ format: 'int4' }, 8],
    [{ format: 'int4_zeros' }, 15],
  ])('of %o holds the largest sums there can be', (form, largest) => {
    const inCount = 65536;
    const weight = zeroMatrix(2, inCount);
    rowOf(weight, 0).fill(largest);
    rowOf(weight, 1).fill(-largest);
    const x: Matrix = { rowCount: 200, columnCount: inCount, data: new Float32Array(200 * inCount).fill(-3) };
    runLevels(form, x, weight, undefined, (out, level) => {
      expect(rowOf(out, 0)[0]! / (-3 * largest * inCount), level).toBeCloseTo(1, 5);
      expect(rowOf(out, 0)[1]! / (3 * largest * inCount), level).toBeCloseTo(1, 5);
    });
  });
});

it('of fp8 is near the weights before they were rounded, and nearer to those afterwards', () => {
  const random = seededRandom(10);
  const [weight, x] = [randomMatrix(64, 512, random), randomMatrix(16, 512, random)];
  const rows = Array.from({ length: 64 }, (_, row) => quantiseFp8Row(rowOf(weight, row)));
  const restored = zeroMatrix(64, 512);
  for (const [row, fp8] of rows.entries()) rowOf(restored, row).set(restoreFp8(fp8));
  const actual = linearFp8Reference(x, rows).data;
  expect(relativeError(actual, linearReference(x, restored).data)).toBeLessThan(LINEAR_TOLERANCE.fp8);
  // A number of E4M3 is off by a sixteenth at most, by 2.6% on average; sums are off by as much.
  expect(relativeError(actual, linearReference(x, weight).data)).toBeLessThan(0.05);
});

it('brings activations into the order of the codes', () => {
  const random = seededRandom(11);
  const [inCount, outCount, tokens] = [100, 20, 9];
  const weight = randomMatrix(outCount, inCount, random);
  const x = randomMatrix(tokens, inCount, random);
  const order = Int32Array.from({ length: inCount }, (_, i) => (i * 37) % inCount);
  const ordered = zeroMatrix(tokens, inCount);
  for (let t = 0; t < tokens; t++)
    rowOf(ordered, t).set(Float32Array.from(order, (input) => rowOf(x, t)[input]!));
  const expected = expectedOf({ format: 'int4_g32' }, ordered, weight, undefined);
  withEachLevel(2, (pool, level) => {
    const packed = packWeight(pool, sourceOf('f32', weight.data, weight), 'int4_g32');
    const linear = bindLinear(pool.library, pool.handle)({ ...packed.weight, order: addressOf(order) });
    const out = zeroMatrix(tokens, outCount);
    linear(tokens, addressOf(x.data), addressOf(out.data));
    expect(out, level).toEqual(expected);
    packed.dispose();
  });
});
