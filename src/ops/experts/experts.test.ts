import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../core/random.js';
import { withEachLevel } from '../../device/cpu/testing/test-pools.js';
import { addressOf } from '../../ffi/memory.js';
import { packWeight, sourceOf } from '../linear/testing/test-weights.js';
import { type Matrix, randomMatrix, rowOf, zeroMatrix } from '../matrix.js';
import {
  type FormatName,
  isQuantised,
  NAMED_FORMATS,
  type QuantisedFormat,
} from '../../plan/weight-format.js';
import {
  quantiseFp8Row,
  quantiseGroups,
  quantiseRow,
  restoreFp8,
  restoreGroups,
} from '../linear/reference.js';
import { relativeError } from '../testing/compare.js';
import { ROUTE_TOLERANCE } from './contract.js';
import { bindExpertDown, bindExpertGateUp, bindRoute } from './cpu.js';
import { expertDownReference, expertGateUpReference, routeReference } from './reference.js';

const [EXPERTS, PER_TOKEN, HIDDEN, INTER] = [5, 3, 48, 40];
/** As for linear: f32 sums in another order; INT8 activations of 16 bits. */
const TOLERANCE = { f32: 1e-5, int8: 2e-3, fp8: 1e-5, int4_g32: 2e-3, int4_g32_zeros: 2e-3 } as const;

function routesOf(tokenCount: number): Matrix {
  const logits = randomMatrix(tokenCount, EXPERTS, seededRandom(tokenCount));
  return routeReference(logits, { expertsPerToken: PER_TOKEN, isNormalised: true });
}

/** The values that a weight keeps. */
function stored(weight: Matrix, name: FormatName): Matrix {
  const format = NAMED_FORMATS[name];
  if (!isQuantised(format)) return weight;
  const data = new Float32Array(weight.data.length);
  for (let row = 0; row < weight.rowCount; row++)
    data.set(restoredRow(rowOf(weight, row), format), row * weight.columnCount);
  return { ...weight, data };
}

function restoredRow(row: Float32Array, format: QuantisedFormat): Float32Array {
  if (format.group !== null) return restoreGroups(quantiseGroups(row, format));
  if (format.element === 'fp8') return restoreFp8(quantiseFp8Row(row));
  const { quantised, scale } = quantiseRow(row);
  return Float32Array.from(quantised, (value) => value * scale);
}

describe('routeReference', () => {
  it('lists the largest in ascending order, the lower of equals', () => {
    const logits = { rowCount: 1, columnCount: 4, data: Float32Array.of(1, 3, 0, 1) };
    const { data } = routeReference(logits, { expertsPerToken: 2, isNormalised: true });
    const share = Math.exp(-2) / (1 + Math.exp(-2));
    expect([...data]).toEqual([0, 1, expect.closeTo(share, 6), expect.closeTo(1 - share, 6)]);
    const plain = routeReference(logits, { expertsPerToken: 1, isNormalised: false });
    expect([...plain.data]).toEqual([1, expect.closeTo(1 / (1 + 2 * Math.exp(-2) + Math.exp(-3)), 6)]);
  });
});

describe('route on the CPU', () => {
  it.each([
    [1, 2, 1, true],
    [40, 8, 2, true],
    [7, 128, 8, false],
    [3, 5, 5, true],
  ])('equals the reference for %i tokens and %i experts, %i a token', (tokens, ...size) => {
    const [expertCount, expertsPerToken, isNormalised] = size;
    const logits = randomMatrix(tokens, expertCount, seededRandom(expertCount));
    logits.data.forEach((value, i) => (logits.data[i] = 6 * value));
    const expected = routeReference(logits, { expertsPerToken, isNormalised });
    withEachLevel(2, (pool, isa) => {
      const out = zeroMatrix(tokens, 2 * expertsPerToken);
      const route = bindRoute(pool.library, pool.handle)({ expertCount, expertsPerToken, isNormalised });
      route(tokens, addressOf(logits.data), addressOf(out.data));
      for (const [i, value] of out.data.entries())
        expect(Math.abs(value - expected.data[i]!), isa).toBeLessThan(ROUTE_TOLERANCE);
    });
  });
});

describe.each(['f32', 'int8', 'int4_g32', 'int4_g32_zeros'] as const)(
  'experts with %s weights on the CPU',
  (name) => {
    const random = seededRandom(7);
    const gateUp = randomMatrix(EXPERTS * 2 * INTER, HIDDEN, random);
    const down = randomMatrix(EXPERTS * HIDDEN, INTER, random);
    const sizes = { expertCount: EXPERTS, expertsPerToken: PER_TOKEN };

    it.each([1, 2, 17, 70])('equal the reference for %i tokens', (tokens) => {
      const x = randomMatrix(tokens, HIDDEN, random);
      const routes = routesOf(tokens);
      const gated = expertGateUpReference(x, routes, stored(gateUp, name), EXPERTS);
      const expected = expertDownReference(gated, routes, stored(down, name), EXPERTS);
      withEachLevel(2, (pool, isa) => {
        const [first, second] = [gateUp, down].map((weight) =>
          packWeight(pool, sourceOf('f32', weight.data, weight), name),
        );
        const actual = { gated: zeroMatrix(tokens, PER_TOKEN * INTER), out: zeroMatrix(tokens, HIDDEN) };
        const [xAt, routesAt, gatedAt, outAt] = [x, routes, actual.gated, actual.out].map(({ data }) =>
          addressOf(data),
        ) as [number, number, number, number];
        const { library, handle } = pool;
        const run = bindExpertGateUp(library, handle)({ ...first!.weight, ...sizes, outCount: INTER });
        run(tokens, xAt, routesAt, gatedAt);
        expect(relativeError(actual.gated.data, gated.data), isa).toBeLessThan(TOLERANCE[name]);
        const runDown = bindExpertDown(library, handle)({ ...second!.weight, ...sizes, outCount: HIDDEN });
        runDown(tokens, gatedAt, routesAt, outAt);
        expect(relativeError(actual.out.data, expected.data), isa).toBeLessThan(TOLERANCE[name]);
        first!.dispose();
        second!.dispose();
      });
    });
  },
);
