import { expect, test } from 'vitest';
import { OPENING_OPTIONS, SCHEDULING_OPTIONS } from '../core/engine-option-table.js';
import { DEFAULT_BATCHER_OPTIONS } from '../run/batcher/batcher-options.js';
import { loadOptionsOf } from './load-options.js';

test('options of one list go to the executor and to its scheduler', () => {
  expect(loadOptionsOf({ gpu: 1, policy: 'max_utilization', maxKvTokens: 64, overlap: false })).toEqual({
    gpu: 1,
    maxKvTokens: 64,
    scheduler: { policy: 'max_utilization', overlap: false },
  });
  expect(Object.keys(SCHEDULING_OPTIONS).filter((name) => name in OPENING_OPTIONS)).toEqual([]);
});

test.each(['batchingType', 'policy', 'maxBeamWidth', 'prefixReuse'] as const)(
  'the table names the default of %s',
  (name) => expect(SCHEDULING_OPTIONS[name].fallback).toBe(String(DEFAULT_BATCHER_OPTIONS[name])),
);
