import { describe, expect, test } from 'vitest';
import { floatToBfloat16, floatToHalf, halfToFloat } from '../../core/dtype.js';
import type { HostTensor } from '../../core/tensor.js';
import { int4Format, type Int4Group } from '../../plan/weight-format.js';
import type { TensorSource } from '../checkpoint/checkpoint.js';
import { faultOf } from '../testing/fault.js';
import type { GroupedQuantisation } from './quantisation-config.js';
import { QuantisedTensors } from './quantised-tensors.js';

type Tensors = Readonly<Record<string, HostTensor>>;

const sourceOf = (tensors: Tensors): TensorSource => ({
  names: Object.keys(tensors),
  info: (name) =>
    tensors[name] && { file: 'f', ...tensors[name], dtypeName: tensors[name].dtype.toUpperCase() },
  read: (name) => tensors[name]!,
  dispose() {},
});

const repeated = (length: number, value: number): number[] => Array.from({ length }, () => value);
const words = (shape: readonly number[], values: readonly number[]): HostTensor => ({
  dtype: 'i32',
  shape,
  bytes: new Uint8Array(Uint32Array.from(values).buffer),
});
const halves = (shape: readonly number[], values: readonly number[]): HostTensor => ({
  dtype: 'f16',
  shape,
  bytes: new Uint8Array(Uint16Array.from(values, floatToHalf).buffer),
});

const quantisation = (
  method: 'awq' | 'gptq',
  group: Int4Group,
  more: Partial<GroupedQuantisation> = {},
): GroupedQuantisation => ({
  method,
  format: int4Format(group, true),
  storedGroup: group,
  zeroOffset: method === 'gptq' ? 1 : 0,
  parts: new Set(['layers']),
  ...more,
});

/** GPTQ with 32 inputs in one group and 8 outputs: the codes of an output are its number and the place of the input in its word. */
const GPTQ: Tensors = {
  'm.qweight': words(
    [4, 8],
    Array.from({ length: 32 }, (_, i) => (0x76543210 + (i % 8) * 0x11111111) >>> 0),
  ),
  'm.qzeros': words([1, 1], [0x6543210f]),
  'm.scales': halves([1, 8], [1, 2, 3, 4, 5, 6, 7, 8]),
  'norm.weight': halves([8], [1, 1, 1, 1, 1, 1, 1, 1]),
};

describe('GPTQ', () => {
  test('inputs lie in words from the lowest bits, zeros are one more than stored', () => {
    const tensors = new QuantisedTensors(sourceOf(GPTQ), quantisation('gptq', 32));
    expect(tensors.names).toEqual(['m.weight', 'norm.weight']);
    expect(tensors.info('m.weight')).toMatchObject({ shape: [8, 32], format: int4Format(32, true) });
    const { codes, scales, zeros } = tensors.readCodes('m.weight');
    for (let o = 0; o < 8; o++)
      expect([...codes.bytes.subarray(o * 32, o * 32 + 8)]).toEqual(
        Array.from({ length: 8 }, (_, i) => (i + o) % 16),
      );
    expect([...zeros!.bytes]).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect([...new Uint16Array(scales.bytes.buffer)].map(halfToFloat)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    const values = new Float32Array(tensors.read('m.weight').bytes.buffer);
    expect([...values.subarray(3 * 32, 3 * 32 + 3)]).toEqual([0, 4, 8]);
  });

  test('the second format stores zeros as they are', () => {
    const tensors = new QuantisedTensors(sourceOf(GPTQ), quantisation('gptq', 32, { zeroOffset: 0 }));
    expect([...tensors.readCodes('m.weight').zeros!.bytes]).toEqual([15, 0, 1, 2, 3, 4, 5, 6]);
  });

  test('symmetric codes get a sign, and must have the zero of symmetric ones', () => {
    const symmetric = quantisation('gptq', 32, { format: int4Format(32, false) });
    const eights = { ...GPTQ, 'm.qzeros': words([1, 1], [0x77777777]) };
    const { codes, zeros } = new QuantisedTensors(sourceOf(eights), symmetric).readCodes('m.weight');
    expect([...new Int8Array(codes.bytes.buffer).subarray(0, 3)]).toEqual([-8, -7, -6]);
    expect(zeros).toBeNull();
    const fault = faultOf(() => new QuantisedTensors(sourceOf(GPTQ), symmetric).readCodes('m.weight'));
    expect(fault.code).toBe('TENSOR_MISMATCH');
    expect(fault.message).toMatch(/m\.qzeros has other zeros than 8, although 'sym'/);
  });

  test('inputs that are not grouped in their order are refused without act order', () => {
    const inOrder = { ...GPTQ, 'm.g_idx': words([32], repeated(32, 0)) };
    expect(() => new QuantisedTensors(sourceOf(inOrder), quantisation('gptq', 32))).not.toThrow();
    const other = {
      ...GPTQ,
      'm.g_idx': words(
        [32],
        Array.from({ length: 32 }, (_, i) => i % 2),
      ),
    };
    expect(faultOf(() => new QuantisedTensors(sourceOf(other), quantisation('gptq', 32)))).toMatchObject({
      code: 'UNSUPPORTED',
      message: expect.stringMatching(/^m\.g_idx groups inputs in another order.*'desc_act'/) as unknown,
    });
  });

  describe('with act order', () => {
    const ordered = quantisation('gptq', 32, { format: int4Format(32, true, true) });
    const [inputs, outputs] = [64, 8];
    const groups = Array.from({ length: inputs }, (_, i) => (i + 1) % 2);
    const tensors: Tensors = {
      'm.qweight': words([8, outputs], repeated(64, 0x76543210)),
      'm.qzeros': words([2, 1], [0xffffffff, 0xffffffff]),
      'm.scales': halves([2, outputs], [...repeated(outputs, 1), ...repeated(outputs, 2)]),
      'm.g_idx': words([inputs], groups),
    };

    test('codes lie by groups, and numbers by inputs', () => {
      const source = new QuantisedTensors(sourceOf(tensors), ordered);
      const { codes, order } = source.readCodes('m.weight');
      const found = [...new Int32Array(order!.bytes.buffer)];
      expect(found).toEqual([
        ...Array.from({ length: 32 }, (_, i) => 2 * i + 1),
        ...Array.from({ length: 32 }, (_, i) => 2 * i),
      ]);
      expect([...codes.bytes.subarray(0, 4)]).toEqual([1, 3, 5, 7]);
      const values = new Float32Array(source.read('m.weight').bytes.buffer);
      expect([...values.subarray(0, 8)]).toEqual([0, 1, 4, 3, 8, 5, 12, 7]);
    });

    test('groups of other sizes and a missing order are refused by name', () => {
      const uneven = { ...tensors, 'm.g_idx': words([inputs], groups.with(0, 0)) };
      expect(faultOf(() => new QuantisedTensors(sourceOf(uneven), ordered)).message).toMatch(
        /^m\.g_idx does not have 32 inputs in each group/,
      );
      const { 'm.g_idx': _, ...without } = tensors;
      expect(faultOf(() => new QuantisedTensors(sourceOf(without), ordered)).message).toMatch(
        /without their tensor 'm\.g_idx'/,
      );
    });
  });
});

test('AWQ puts outputs 0 2 4 6 1 3 5 7 into a word', () => {
  const tensors = new QuantisedTensors(
    sourceOf({
      'm.qweight': words([32, 1], repeated(32, 0x75316420)),
      'm.qzeros': words([1, 1], [0x75316420]),
      'm.scales': halves([1, 8], [1, 1, 1, 1, 1, 1, 1, 1]),
    }),
    quantisation('awq', 32),
  );
  const { codes, zeros } = tensors.readCodes('m.weight');
  expect([...zeros!.bytes]).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  for (let o = 0; o < 8; o++)
    expect(codes.bytes.subarray(o * 32, (o + 1) * 32).every((code) => code === o)).toBe(true);
  expect(new Float32Array(tensors.read('m.weight').bytes.buffer).every((value) => value === 0)).toBe(true);
});

test('groups of several of ours, and whole rows, get their scale in each', () => {
  const columns = 512;
  const tensors: Tensors = {
    'm.qweight': words([columns / 8, 8], repeated(columns, 0)),
    'm.qzeros': words([2, 1], [0x11111111, 0x22222222]),
    'm.scales': halves([2, 8], [...repeated(8, 1), ...repeated(8, 2)]),
  };
  const wide = quantisation('gptq', 128, { storedGroup: 256 });
  const { scales, zeros } = new QuantisedTensors(sourceOf(tensors), wide).readCodes('m.weight');
  expect(scales.shape).toEqual([8, 4]);
  expect([...new Uint16Array(scales.bytes.buffer)].slice(0, 4).map(halfToFloat)).toEqual([1, 1, 2, 2]);
  expect([...zeros!.bytes.subarray(0, 4)]).toEqual([2, 2, 3, 3]);
  const rows = {
    ...tensors,
    'm.qzeros': words([1, 1], [0x11111111]),
    'm.scales': halves([1, 8], [1, 2, 3, 4, 5, 6, 7, 8]),
  };
  const whole = quantisation('gptq', 128, { storedGroup: null });
  const spread = new QuantisedTensors(sourceOf(rows), whole).readCodes('m.weight').scales;
  expect([...new Uint16Array(spread.bytes.buffer)].slice(4, 8).map(halfToFloat)).toEqual([2, 2, 2, 2]);
});

describe('faults', () => {
  const open = (changed: Record<string, HostTensor | undefined>) => {
    const tensors = Object.fromEntries(
      Object.entries({ ...GPTQ, ...changed }).filter(([, tensor]) => tensor !== undefined),
    ) as Tensors;
    return new QuantisedTensors(sourceOf(tensors), quantisation('gptq', 32));
  };

  test.each<[Record<string, HostTensor | undefined>, string, RegExp]>([
    [{ 'm.scales': undefined }, 'TENSOR_MISSING', /without their tensor 'm\.scales'/],
    [
      { 'm.qzeros': words([2, 1], [0, 0]) },
      'TENSOR_MISMATCH',
      /m\.qzeros has the shape \[2, 1\], but 32 inputs in groups of 32 and 8 outputs ask for \[1, 1\]/,
    ],
    [{ 'm.scales': halves([1, 4], [1, 1, 1, 1]) }, 'TENSOR_MISMATCH', /m\.scales has the shape \[1, 4\]/],
    [
      { 'm.qweight': halves([4, 8], repeated(32, 0)) },
      'TENSOR_MISMATCH',
      /tensor 'm\.qweight' is F16 \[4, 8\], but a matrix of i32 is needed/,
    ],
  ])('%#', (changed, code, message) => {
    expect(faultOf(() => open(changed))).toMatchObject({
      code,
      message: expect.stringMatching(message) as unknown,
    });
  });

  test('bfloat16 scales are taken where float16 holds them', () => {
    const scalesOf = (value: number): HostTensor => ({
      dtype: 'bf16',
      shape: [1, 8],
      bytes: new Uint8Array(new Uint16Array(8).fill(floatToBfloat16(value)).buffer),
    });
    const { scales } = open({ 'm.scales': scalesOf(0.75) }).readCodes('m.weight');
    expect(halfToFloat(new Uint16Array(scales.bytes.buffer)[0]!)).toBe(0.75);
    for (const value of [1e6, 1e-9])
      expect(faultOf(() => open({ 'm.scales': scalesOf(value) }).readCodes('m.weight')).message).toMatch(
        /m\.scales has a scale that float16 cannot hold/,
      );
  });
});
