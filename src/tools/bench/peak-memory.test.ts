import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { watchPeak } from './peak-memory.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('keeps the largest value that a sample saw, the last one included', () => {
  let [used, disposed] = [10, 0];
  const peak = watchPeak({ usedBytes: () => used, dispose: () => void disposed++ });
  used = 30;
  vi.advanceTimersByTime(250);
  used = 20;
  vi.advanceTimersByTime(250);
  expect(peak.bytes()).toBe(30);
  used = 40;
  expect(peak.bytes()).toBe(40);
  peak.restart();
  used = 25;
  expect(peak.bytes()).toBe(25);
  peak.stop();
  used = 50;
  vi.advanceTimersByTime(1000);
  expect(disposed).toBe(1);
  expect(vi.getTimerCount()).toBe(0);
});
