/** Tiny random models for tests of executors: a LLaMA-shaped plan and its weights as the plan means them. */
import {
  bfloat16ToFloat,
  elementCount,
  floatToBfloat16,
  floatToHalf,
  halfToFloat,
} from '../../../core/dtype.js';
import { seededRandom, type RandomSource } from '../../../core/random.js';
import {
  quantiseFp8Row,
  quantiseGroups,
  quantiseRow,
  restoreFp8,
  restoreGroups,
} from '../../../ops/linear/reference.js';
import type { Plan, PlanWeight } from '../../../plan/plan.js';
import { createTestPlan, type TestPlanShape } from '../../../plan/testing/test-plan.js';
import type { QuantisedFormat, WeightFormat } from '../../../plan/weight-format.js';
import type { LogicalWeight } from '../reference/reference-rank.js';

export interface TestModelShape extends TestPlanShape {
  readonly seed: number;
}

export interface TestModel {
  readonly plan: Plan;
  readonly weights: ReadonlyMap<string, LogicalWeight>;
}

export const SMALL_SHAPE: TestModelShape = {
  dims: {
    layerCount: 2,
    hidden: 48,
    headCount: 6,
    kvHeadCount: 2,
    headDim: 8,
    intermediate: 80,
    vocabulary: 101,
  },
  rope: { theta: 10_000, scaling: { type: 'none' } },
  format: { type: 'dense', dtype: 'f32' },
  dense: 'f32',
  bias: false,
  fused: false,
  seed: 1,
};

/** The plan with random weights. */
export function createTestModel(shape: TestModelShape = SMALL_SHAPE): TestModel {
  const plan = createTestPlan(shape);
  const random = seededRandom(shape.seed);
  const weights = Object.entries(plan.weights).map(
    ([name, weight]) => [name, randomWeight(name, weight, random)] as const,
  );
  return { plan, weights: new Map(weights) };
}

/** Values spread so that activations keep their size and attention is neither flat nor one-hot. */
function randomWeight(name: string, { shape, format }: PlanWeight, random: RandomSource): LogicalWeight {
  const spread = shape.length === 1 ? 1 : 3 / Math.sqrt(shape[1]!);
  const offset = name.includes('norm') ? 1 : 0;
  const length = elementCount(shape);
  const data = Float32Array.from({ length }, () => offset + spread * (random.next() - 0.5));
  return { shape, data: representable(data, shape, format) };
}

/** Values that storage in `format` leaves as they are, so that a device that packs them has what the reference has. */
function representable(data: Float32Array, shape: readonly number[], format: WeightFormat): Float32Array {
  if (format.type === 'quantised') {
    const columns = shape[1]!;
    const out = new Float32Array(data.length);
    for (let at = 0; at < data.length; at += columns)
      out.set(restoredRow(data.subarray(at, at + columns), format), at);
    return out;
  }
  if (format.dtype === 'f16') return data.map((value) => halfToFloat(floatToHalf(value)));
  if (format.dtype === 'bf16') return data.map((value) => bfloat16ToFloat(floatToBfloat16(value)));
  return data;
}

function restoredRow(row: Float32Array, format: QuantisedFormat): Float32Array {
  if (format.group !== null) return settledGroups(row, format);
  if (format.element === 'fp8') return restoreFp8(quantiseFp8Row(row));
  const { quantised, scale } = quantiseRow(row);
  return Float32Array.from(quantised, (value) => value * scale);
}

/**
 * Groups with zeros whose codes do not reach from 0 to 15 get another scale when they are stored once more, so they are stored
 * until nothing changes any more.
 */
function settledGroups(row: Float32Array, format: QuantisedFormat): Float32Array {
  const stored = restoreGroups(quantiseGroups(row, format));
  return stored.every((value, i) => value === row[i]) ? stored : settledGroups(stored, format);
}
