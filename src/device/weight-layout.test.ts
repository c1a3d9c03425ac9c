import { afterAll, describe, expect, it, test } from 'vitest';
import { type DType, floatToHalf, tensorBytes } from '../core/dtype.js';
import type { HostTensor } from '../core/tensor.js';
import { type GroupedRow, quantiseFp8Row, quantiseGroups, quantiseRow } from '../ops/linear/reference.js';
import type { PlanWeight } from '../plan/plan.js';
import { createTestPlan, TINY_PLAN_SHAPE } from '../plan/testing/test-plan.js';
import {
  groupsOf,
  hasOrder,
  INT8_PER_CHANNEL,
  codeDtype,
  FP8_PER_CHANNEL,
  int4Format,
  isQuantised,
  type QuantisedFormat,
} from '../plan/weight-format.js';
import { createCpuWeightLayout } from './cpu/cpu-weight-layout.js';
import { createCpuPool } from './cpu/kernel-library.js';
import { createCudaWeightLayout } from './cuda/cuda-weight-layout.js';
import { checkFormats, type WeightData, type WeightLayout, type WeightUse } from './weight-layout.js';

const PLAN = createTestPlan(TINY_PLAN_SHAPE);
const pool = createCpuPool({ threadCount: 2 });
const LAYOUTS: readonly WeightLayout[] = [createCpuWeightLayout(pool), createCudaWeightLayout(pool)];
afterAll(() => pool.dispose());

const ROWS = 45;
const COLUMNS = 130;

function weightOf(rows: number, format: QuantisedFormat = INT8_PER_CHANNEL): PlanWeight {
  const shape = [rows, COLUMNS];
  return { shape, format, source: { parts: [{ tensor: 'w', shape, slice: null }] } };
}

function tensorOf(dtype: DType, shape: readonly number[], values: ArrayBufferView): HostTensor {
  expect(values.byteLength).toBe(tensorBytes(dtype, shape));
  return { dtype, shape, bytes: new Uint8Array(values.buffer as ArrayBuffer) };
}

/** A random matrix, and the same matrix as a quantised checkpoint holds it. */
function sources(format = INT8_PER_CHANNEL): { readonly dense: WeightData; readonly quantised: WeightData } {
  const values = Float32Array.from({ length: ROWS * COLUMNS }, (_, i) => Math.sin(i * 1.7) * (1 + (i % 7)));
  const codes = new Uint8Array(values.length);
  const scales = new Float32Array(ROWS);
  for (let row = 0; row < ROWS; row++) {
    const line = values.subarray(row * COLUMNS, (row + 1) * COLUMNS);
    const fp8 = format.element === 'fp8' ? quantiseFp8Row(line) : undefined;
    const int8 = quantiseRow(line);
    codes.set(fp8?.codes ?? new Uint8Array(int8.quantised.buffer), row * COLUMNS);
    scales[row] = (fp8 ?? int8).scale;
  }
  return {
    dense: { kind: 'dense', tensor: tensorOf('f32', [ROWS, COLUMNS], values) },
    quantised: {
      kind: 'quantised',
      codes: tensorOf(codeDtype(format), [ROWS, COLUMNS], codes),
      scales: tensorOf('f32', [ROWS, 1], scales),
      zeros: null,
      order: null,
    },
  };
}

/** A random matrix, and the same as a checkpoint holds it in groups. */
function groupedSources(format: QuantisedFormat): {
  readonly dense: WeightData;
  readonly quantised: WeightData;
} {
  const values = Float32Array.from({ length: ROWS * COLUMNS }, (_, i) => Math.sin(i * 1.7) * (1 + (i % 7)));
  const rows = Array.from({ length: ROWS }, (_, row) =>
    quantiseGroups(values.subarray(row * COLUMNS, (row + 1) * COLUMNS), format),
  );
  const shape = [ROWS, groupsOf(format, COLUMNS)];
  const all = (part: (row: GroupedRow) => ArrayLike<number>): number[] =>
    rows.flatMap((row) => Array.from(part(row)));
  const zeros = Uint8Array.from(all((row) => row.zeros));
  return {
    dense: { kind: 'dense', tensor: tensorOf('f32', [ROWS, COLUMNS], values) },
    quantised: {
      kind: 'quantised',
      codes: tensorOf('i8', [ROWS, COLUMNS], Int8Array.from(all((row) => row.codes))),
      scales: tensorOf(
        'f16',
        shape,
        Uint16Array.from(
          all((row) => row.scales),
          floatToHalf,
        ),
      ),
      zeros: format.hasZeros ? tensorOf('u8', shape, zeros) : null,
      order: null,
    },
  };
}

/** A weight as a layout packs it. */
function packed(layout: WeightLayout, source: WeightData, weight: PlanWeight, use: WeightUse): Uint8Array[] {
  const targets = layout
    .specs('w', weight, use)
    .map(({ dtype, shape }) => new Uint8Array(new ArrayBuffer(tensorBytes(dtype, shape))).fill(0x55));
  layout.pack(source, weight, use, targets);
  return targets;
}

describe.each(LAYOUTS.map((layout) => [layout.device, layout] as const))('layout of %s', (_, layout) => {
  it.each(['linear', 'table'] as const)('takes a quantised %s as it takes the numbers', (use) => {
    const { dense, quantised } = sources();
    for (const rows of [ROWS, ROWS + 20]) {
      const weight = weightOf(rows);
      expect(packed(layout, quantised, weight, use)).toEqual(packed(layout, dense, weight, use));
    }
  });

  it.each(
    layout
      .formats('linear')
      .filter((format) => isQuantised(format) && format.group !== null && !hasOrder(format)),
  )('takes codes of $element in groups of $group as it takes the numbers', (format) => {
    const { dense, quantised } = groupedSources(format as QuantisedFormat);
    for (const rows of [ROWS, ROWS + 20]) {
      const weight = weightOf(rows, format as QuantisedFormat);
      expect(packed(layout, quantised, weight, 'linear')).toEqual(packed(layout, dense, weight, 'linear'));
    }
    // The matrices of experts lie as one matrix that a linear layer would have.
    expect(layout.formats('experts')).toContainEqual(format);
    const weight = weightOf(ROWS, format as QuantisedFormat);
    expect(packed(layout, quantised, weight, 'experts')).toEqual(packed(layout, dense, weight, 'linear'));
  });

  it('does not store experts in act order', () => {
    expect(layout.formats('experts').filter(hasOrder)).toEqual([]);
  });

  it('keeps the order of codes behind them', () => {
    const format = int4Format(32, true);
    const { quantised } = groupedSources(format);
    const order = Int32Array.from({ length: COLUMNS }, (_, i) => (i * 7) % COLUMNS);
    const ordered = { ...quantised, order: tensorOf('i32', [COLUMNS], order) } as WeightData;
    const weight = weightOf(ROWS, int4Format(32, true, true));
    expect(packed(layout, ordered, weight, 'linear')).toEqual([
      ...packed(layout, quantised, weightOf(ROWS, format), 'linear'),
      new Uint8Array(order.buffer),
    ]);
  });

  it('takes fp8 as it takes the numbers', () => {
    const { dense, quantised } = sources(FP8_PER_CHANNEL);
    for (const rows of [ROWS, ROWS + 20]) {
      const weight = weightOf(rows, FP8_PER_CHANNEL);
      expect(packed(layout, quantised, weight, 'linear')).toEqual(packed(layout, dense, weight, 'linear'));
    }
  });

  it('refuses codes whose scales do not belong to them', () => {
    const { quantised } = sources();
    const scales = tensorOf('f32', [ROWS, 2], new Float32Array(2 * ROWS));
    const wrong = { ...quantised, scales } as WeightData;
    expect(() => packed(layout, wrong, weightOf(ROWS), 'linear')).toThrow(
      /Checkpoint tensor w has codes, scales and zeros of i8 \[45, 130\], f32 \[45, 2\]; int8 per channel needs i8 codes with 45 scales of f32/,
    );
  });

  test('a format that the device does not store is refused by name before anything is packed', () => {
    const format: QuantisedFormat = { ...INT8_PER_CHANNEL, group: 64 };
    const [name] = Object.entries(PLAN.weights).find(([, { shape }]) => shape.length === 2)!;
    const plan = { ...PLAN, weights: { ...PLAN.weights, [name]: { ...PLAN.weights[name]!, format } } };
    expect(() => checkFormats(plan, layout)).toThrow(
      new RegExp(
        `device '${layout.device}' does not store ${name} as int8 per 64 inputs; choose one of: .*int8 per channel`,
      ),
    );
  });
});
