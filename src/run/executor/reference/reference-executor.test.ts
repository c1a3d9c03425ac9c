import { describeExecutor } from '../testing/conformance.js';
import { ReferenceExecutor } from './reference-executor.js';
import { createTestModel } from '../testing/test-model.js';

const { plan, weights } = createTestModel();

describeExecutor('reference executor', (limits) => {
  return new ReferenceExecutor({ plan, weight: (name) => weights.get(name)!, limits, kvDtype: 'f32' });
});
