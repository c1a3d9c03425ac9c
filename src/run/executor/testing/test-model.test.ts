import { expect, test } from 'vitest';
import { quantiseGroups, restoreGroups } from '../../../ops/linear/reference.js';
import { NAMED_FORMATS } from '../../../plan/weight-format.js';
import { createTestModel, SMALL_SHAPE } from './test-model.js';

test.each(['int4', 'int4_g32', 'int4_zeros', 'int4_g64_zeros', 'int4_g32_zeros'] as const)(
  'weights of %s are left as they are when a device stores them',
  (name) => {
    const model = createTestModel({ ...SMALL_SHAPE, format: NAMED_FORMATS[name] });
    for (const [tensor, { format, shape }] of Object.entries(model.plan.weights)) {
      if (format.type !== 'quantised') continue;
      const { data } = model.weights.get(tensor)!;
      const columns = shape[1]!;
      for (let at = 0; at < data.length; at += columns) {
        const row = data.subarray(at, at + columns);
        expect(restoreGroups(quantiseGroups(row, format)), `${tensor}, row ${at / columns}`).toEqual(row);
      }
    }
  },
);
