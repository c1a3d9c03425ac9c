import { describeExecutor } from '../testing/conformance.js';
import { breakToken } from '../testing/conformance-faults.js';
import { createTestModel } from '../testing/test-model.js';
import { ReferenceExecutor } from './reference-executor.js';

const { plan, weights } = createTestModel();
const { shape, data } = weights.get('embedding')!;

describeExecutor('reference executor', {
  tolerance: 0,
  create(limits, fault) {
    const table = { shape, data: data.slice() };
    if (fault !== undefined)
      breakToken(new Uint8Array(table.data.buffer), plan.dims.vocabulary, fault.nanTokenId);
    const weight = (name: string) => (name === 'embedding' ? table : weights.get(name)!);
    return new ReferenceExecutor({ plan, weight, limits, kvDtype: 'f32' });
  },
});
