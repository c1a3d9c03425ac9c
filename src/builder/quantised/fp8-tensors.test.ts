import { expect, test } from 'vitest';
import { bfloat16ToFloat, floatToBfloat16 } from '../../core/dtype.js';
import type { HostTensor } from '../../core/tensor.js';
import { FP8_PER_CHANNEL } from '../../plan/weight-format.js';
import type { TensorSource } from '../checkpoint/checkpoint.js';
import { faultOf } from '../testing/fault.js';
import { Fp8Tensors } from './fp8-tensors.js';

type Tensors = Readonly<Record<string, HostTensor>>;

const sourceOf = (tensors: Tensors): TensorSource => ({
  names: Object.keys(tensors),
  info: (name) =>
    tensors[name] && { file: 'f', ...tensors[name], dtypeName: tensors[name].dtype.toUpperCase() },
  read: (name) => tensors[name]!,
  dispose() {},
});
const floats = (shape: readonly number[], values: readonly number[]): HostTensor => ({
  dtype: 'f32',
  shape,
  bytes: new Uint8Array(Float32Array.from(values).buffer),
});
const codes = (shape: readonly number[], values: readonly number[]): HostTensor => ({
  dtype: 'f8e4m3',
  shape,
  bytes: Uint8Array.from(values),
});
/** 1, -2 and 448; the smallest number, 0 and -0.5. */
const WEIGHT = codes([2, 3], [0x38, 0xc0, 0x7e, 0x01, 0x00, 0xb0]);
const VALUES = [1, -2, 448, 2 ** -9, 0, -0.5];
const NORM = floats([1], [7]);

const opened = (scale: HostTensor | undefined, more: Tensors = {}): Fp8Tensors =>
  new Fp8Tensors(
    sourceOf({ 'm.weight': WEIGHT, ...(scale && { 'm.weight_scale': scale }), 'norm.weight': NORM, ...more }),
  );
const numbersOf = (tensors: Fp8Tensors): number[] => [
  ...new Float32Array(tensors.read('m.weight').bytes.buffer),
];
const scalesOf = (tensors: Fp8Tensors): number[] => [
  ...new Float32Array(tensors.readCodes('m.weight').scales.bytes.buffer),
];

test.each<[readonly number[], readonly number[], readonly number[]]>([
  [[], [0.5], [0.5, 0.5]],
  [[1], [0.25], [0.25, 0.25]],
  [[2], [0.5, 2], [0.5, 2]],
  [
    [2, 1],
    [0.5, 2],
    [0.5, 2],
  ],
])('scales of the shape %j are taken for channels', (shape, values, expected) => {
  const tensors = opened(floats(shape, values));
  expect(tensors.names).toEqual(['m.weight', 'norm.weight']);
  expect(tensors.info('m.weight')).toMatchObject({ shape: [2, 3], dtype: 'f32', format: FP8_PER_CHANNEL });
  expect(tensors.info('norm.weight')!.format).toBeUndefined();
  expect(tensors.readCodes('m.weight').codes).toBe(WEIGHT);
  expect(scalesOf(tensors)).toEqual(expected);
  expect(numbersOf(tensors)).toEqual(VALUES.map((value, i) => value * expected[Math.floor(i / 3)]!));
  expect(tensors.read('norm.weight')).toBe(NORM);
});

test('scales in bfloat16 keep their value', () => {
  const bits = floatToBfloat16(0.3);
  const scale = { dtype: 'bf16', shape: [1], bytes: new Uint8Array(Uint16Array.of(bits).buffer) } as const;
  expect(scalesOf(opened(scale))).toEqual([bfloat16ToFloat(bits), bfloat16ToFloat(bits)]);
});

test.each<[HostTensor | undefined, Tensors, string, RegExp]>([
  [
    undefined,
    {},
    'TENSOR_MISSING',
    /'m\.weight' is FP8, but the checkpoint has no 'm\.weight_scale'\. Download/,
  ],
  [
    undefined,
    { 'm.weight_scale_inv': floats([1, 1], [1]) },
    'TENSOR_MISSING',
    /no 'm\.weight_scale': it has scales of blocks, which are not supported/,
  ],
  [
    floats([3], [1, 1, 1]),
    {},
    'TENSOR_MISMATCH',
    /is F32 \[3\], but 'm\.weight' \[2, 3\] needs one float, or one/,
  ],
  [floats([1, 2], [1, 1]), {}, 'TENSOR_MISMATCH', /is F32 \[1, 2\]/],
  [codes([2], [1, 1]), {}, 'TENSOR_MISMATCH', /is F8E4M3 \[2\]/],
])('refuses %#', (scale, more, code, message) => {
  expect(faultOf(() => opened(scale, more))).toMatchObject({
    code,
    message: expect.stringMatching(message) as unknown,
  });
});

test('refuses what is no number', () => {
  const scale = floats([1], [1]);
  const broken = opened(scale, { 'm.weight': codes([1, 2], [0x38, 0xff]) });
  expect(faultOf(() => broken.readCodes('m.weight'))).toMatchObject({
    code: 'CHECKPOINT_CORRUPT',
    message: 'Checkpoint tensor m.weight has values that are not numbers; fetch the checkpoint again.',
  });
  expect(faultOf(() => opened(floats([1], [Infinity])).readCodes('m.weight')).message).toMatch(
    /m\.weight_scale has scales that are infinite/,
  );
});
