import { afterAll, describe, expect, it } from 'vitest';
import { tensorBytes } from '../../core/dtype.js';
import type { HostTensor } from '../../core/tensor.js';
import { quantiseRow } from '../../ops/linear/reference.js';
import type { PlanWeight } from '../../plan/plan.js';
import type { WeightUse } from '../weight-layout.js';
import { createCpuWeightLayout } from './cpu-weight-layout.js';
import { createCpuPool } from './kernel-library.js';
import { INT8_PER_CHANNEL, type WeightFormat } from '../../plan/weight-format.js';

const pool = createCpuPool({ threadCount: 2 });
const layout = createCpuWeightLayout(pool);
afterAll(() => pool.dispose());

const INT8: WeightFormat = INT8_PER_CHANNEL;
const F16: WeightFormat = { type: 'dense', dtype: 'f16' };

function weightOf(shape: readonly number[], format: WeightFormat): PlanWeight {
  return { shape, format, source: { parts: [{ tensor: 'model.w', shape, slice: null }] } };
}

function f32Tensor(shape: readonly number[], values: Float32Array): HostTensor {
  return { dtype: 'f32', shape, bytes: new Uint8Array(values.buffer) };
}

function pack(source: HostTensor, weight: PlanWeight, use: WeightUse): Uint8Array[] {
  const targets = layout
    .specs('w', weight, use)
    .map(({ dtype, shape }) => new Uint8Array(tensorBytes(dtype, shape)));
  layout.pack({ kind: 'dense', tensor: source }, weight, use, targets);
  return targets;
}

describe('layout of CPU weights', () => {
  it('names the tensors of a weight', () => {
    expect(layout.specs('w', weightOf([40, 70], INT8), 'linear')).toEqual([
      { name: 'w', dtype: 'i8', shape: [3, 32, 16, 4] },
      { name: 'w.scale', dtype: 'f32', shape: [48] },
      { name: 'w.sum', dtype: 'i32', shape: [48] },
    ]);
    expect(layout.specs('w', weightOf([40, 70], F16), 'linear')).toEqual([
      { name: 'w', dtype: 'f16', shape: [3, 96, 16] },
    ]);
    expect(layout.specs('w', weightOf([40, 70], F16), 'table')).toEqual([
      { name: 'w', dtype: 'f16', shape: [40, 70] },
    ]);
    expect(layout.specs('w', weightOf([70], F16), 'vector')).toEqual([
      { name: 'w', dtype: 'f32', shape: [70] },
    ]);
  });

  it('keeps tables row by row, with zero rows where the checkpoint has none', () => {
    const values = Float32Array.of(1, -2, 0.5, 4, 5, 6);
    const [table] = pack(
      f32Tensor([2, 3], values),
      weightOf([4, 3], { type: 'dense', dtype: 'f32' }),
      'table',
    );
    expect(new Float32Array(table!.buffer)).toEqual(Float32Array.of(...values, 0, 0, 0, 0, 0, 0));
    const [bytes, scales] = pack(f32Tensor([2, 3], values), weightOf([2, 3], INT8), 'table');
    const rows = [values.subarray(0, 3), values.subarray(3)].map(quantiseRow);
    expect([...new Int8Array(bytes!.buffer)]).toEqual(rows.flatMap(({ quantised }) => [...quantised]));
    expect([...new Float32Array(scales!.buffer)]).toEqual(rows.map(({ scale }) => scale));
  });

  it('stores vectors in f32', () => {
    const bits = Uint16Array.of(0x3c00, 0xc000);
    const source: HostTensor = { dtype: 'f16', shape: [2], bytes: new Uint8Array(bits.buffer) };
    expect(new Float32Array(pack(source, weightOf([2], F16), 'vector')[0]!.buffer)).toEqual(
      Float32Array.of(1, -2),
    );
  });

  it('refuses values that the format cannot hold, naming the tensor and the way out', () => {
    const large = f32Tensor([1, 2], Float32Array.of(1, 70000));
    expect(() => pack(large, weightOf([1, 2], F16), 'linear')).toThrowError(
      /model\.w .*1 values.*--dtype bfloat16/,
    );
    const broken = f32Tensor([1, 2], Float32Array.of(NaN, 1));
    expect(() => pack(broken, weightOf([1, 2], INT8), 'linear')).toThrowError(/model\.w has 1 values/);
    const ints: HostTensor = { dtype: 'i32', shape: [1, 2], bytes: new Uint8Array(8) };
    expect(() => pack(ints, weightOf([1, 2], F16), 'linear')).toThrowError(/model\.w is i32/);
    expect(() => layout.specs('w', weightOf([1, 65537], INT8), 'linear')).toThrowError(/at most 65536/);
  });
});
