import { expect, test } from 'vitest';
import type { StepStats } from '../../core/batcher-stats.js';
import { watchDecodeSteps } from './decode-times.js';

function fakeSource() {
  const listeners = new Set<(stats: StepStats) => void>();
  const emit = (stats: Partial<StepStats>) => {
    for (const listener of listeners) listener({ prefillRowCount: 0, idleMs: 0, ...stats } as StepStats);
  };
  return {
    emit,
    onStep(listener: (stats: StepStats) => void) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

test('medians are over steps that decode the whole batch and nothing else', () => {
  const source = fakeSource();
  const watch = watchDecodeSteps(source, 4);
  source.emit({ decodeRowCount: 3, deviceMs: 100, hostMs: 100 });
  source.emit({ decodeRowCount: 4, prefillRowCount: 1, deviceMs: 100, hostMs: 100 });
  for (const ms of [3, 1, 2])
    source.emit({ decodeRowCount: 4, deviceMs: ms, hostMs: ms / 1000, idleMs: ms / 2000 });
  expect(watch.medians()).toEqual({ stepMs: 2, hostUs: 2, exposedUs: 1 });
  watch.stop();
  source.emit({ decodeRowCount: 4, deviceMs: 100, hostMs: 100 });
  expect(watch.medians().stepMs).toBe(2);
});

test('without a decode step there is nothing to emit', () => {
  expect(watchDecodeSteps(fakeSource(), 1).medians()).toEqual({ stepMs: NaN, hostUs: NaN, exposedUs: NaN });
});
