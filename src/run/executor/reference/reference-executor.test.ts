import { expect, test } from 'vitest';
import { randomRanks } from '../../../builder/testing/random-ranks.js';
import { describeExecutor } from '../testing/conformance.js';
import { LIMITS, type ModelFault } from '../testing/conformance-driver.js';
import { breakToken } from '../testing/break-token.js';
import { createTestModel } from '../testing/test-model.js';
import { ReferenceExecutor } from './reference-executor.js';
import type { RankModel } from './reference-rank.js';

/** The model with the fault in its embedding, which every rank has whole. */
function withFault(model: RankModel, table: string, fault: ModelFault | undefined): RankModel {
  if (fault === undefined) return model;
  const { shape, data } = model.weight(table);
  const broken = { shape, data: data.slice() };
  breakToken(new Uint8Array(broken.data.buffer), shape[0]!, fault.nanTokenId);
  return { ...model, weight: (name) => (name === table ? broken : model.weight(name)) };
}

const { plan, weights } = createTestModel();

describeExecutor('reference executor', {
  tolerance: 0,
  create(limits, fault) {
    const model = withFault({ plan, weight: (name) => weights.get(name)! }, 'embedding', fault);
    return new ReferenceExecutor({ ...model, limits, kvDtype: 'f32' });
  },
});

const [first, ...others] = randomRanks(2);

describeExecutor('reference executor on two ranks', {
  tolerance: 0,
  create(limits, fault) {
    const onRank = (model: RankModel): RankModel => withFault(model, 'vocab_embedding.weight', fault);
    return new ReferenceExecutor({
      ...onRank(first!),
      otherRanks: others.map(onRank),
      limits,
      kvDtype: 'f32',
    });
  },
});

test('refuses a plan of several ranks without the others', () => {
  expect(() => new ReferenceExecutor({ ...first!, limits: LIMITS, kvDtype: 'f32' })).toThrowError(
    /1 ranks for a plan of 2/,
  );
});
