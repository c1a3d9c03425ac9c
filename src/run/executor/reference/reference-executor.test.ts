import { expect, test } from 'vitest';
import { randomRanks } from '../../../builder/testing/random-ranks.js';
import { describeExecutor } from '../testing/conformance.js';
import { LIMITS } from '../testing/conformance-driver.js';
import { createTestModel } from '../testing/test-model.js';
import { ReferenceExecutor } from './reference-executor.js';

const { plan, weights } = createTestModel();

describeExecutor('reference executor', (limits) => {
  return new ReferenceExecutor({ plan, weight: (name) => weights.get(name)!, limits, kvDtype: 'f32' });
});

const [first, ...otherRanks] = randomRanks(2);

describeExecutor('reference executor on two ranks', (limits) => {
  return new ReferenceExecutor({ ...first!, otherRanks, limits, kvDtype: 'f32' });
});

test('refuses a plan of several ranks without the others', () => {
  expect(() => new ReferenceExecutor({ ...first!, limits: LIMITS, kvDtype: 'f32' })).toThrowError(
    /1 ranks for a plan of 2/,
  );
});
