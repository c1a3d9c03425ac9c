import { afterAll, describe, expect, it, test } from 'vitest';
import { elementCount, tensorBytes } from '../core/dtype.js';
import type { HostTensor } from '../core/tensor.js';
import { quantiseRow } from '../ops/linear/reference.js';
import type { PlanWeight } from '../plan/plan.js';
import { createTestPlan, TINY_PLAN_SHAPE } from '../plan/testing/test-plan.js';
import { INT8_PER_CHANNEL, type QuantisedFormat } from '../plan/weight-format.js';
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

function weightOf(rows: number): PlanWeight {
  const shape = [rows, COLUMNS];
  return { shape, format: INT8_PER_CHANNEL, source: { parts: [{ tensor: 'w', shape, slice: null }] } };
}

function tensorOf(dtype: 'f32' | 'i8', shape: readonly number[], values: ArrayBufferView): HostTensor {
  expect(values.byteLength).toBe(elementCount(shape) * (dtype === 'f32' ? 4 : 1));
  return { dtype, shape, bytes: new Uint8Array(values.buffer as ArrayBuffer) };
}

/** A random matrix, and the same matrix as a quantised checkpoint holds it. */
function sources(): { readonly dense: WeightData; readonly quantised: WeightData } {
  const values = Float32Array.from({ length: ROWS * COLUMNS }, (_, i) => Math.sin(i * 1.7) * (1 + (i % 7)));
  const codes = new Int8Array(values.length);
  const scales = new Float32Array(ROWS);
  for (let row = 0; row < ROWS; row++) {
    const { quantised, scale } = quantiseRow(values.subarray(row * COLUMNS, (row + 1) * COLUMNS));
    codes.set(quantised, row * COLUMNS);
    scales[row] = scale;
  }
  return {
    dense: { kind: 'dense', tensor: tensorOf('f32', [ROWS, COLUMNS], values) },
    quantised: {
      kind: 'quantised',
      codes: tensorOf('i8', [ROWS, COLUMNS], codes),
      scales: tensorOf('f32', [ROWS, 1], scales),
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

  it('refuses codes whose scales do not belong to them', () => {
    const { quantised } = sources();
    const scales = tensorOf('f32', [ROWS, 2], new Float32Array(2 * ROWS));
    const wrong = { ...quantised, scales } as WeightData;
    expect(() => packed(layout, wrong, weightOf(ROWS), 'linear')).toThrow(
      /Checkpoint tensor w has codes of i8 and scales of f32 \[45, 2\].*one f32 scale for each of 45 rows/,
    );
  });

  test('inputs of 8 bits are refused where no kernel rounds them', () => {
    const ops = PLAN.ops.map((op) => (op.kind === 'linear' ? { ...op, inputBits: 8 as const } : op));
    const check = () => checkFormats({ ...PLAN, ops }, layout);
    if (layout.roundsInputs) expect(check).not.toThrow();
    else expect(check).toThrow(/does not multiply activations of 8 bits; build without --int8_activations/);
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
