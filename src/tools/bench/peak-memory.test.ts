import { expect, test, vi } from 'vitest';
import { watchDeviceMemory } from './peak-memory.js';

test('keeps the largest value that a sample saw, the last one included', () => {
  vi.useFakeTimers();
  try {
    let used = 10;
    const peak = watchDeviceMemory({ deviceUsedBytes: () => used });
    used = 30;
    vi.advanceTimersByTime(250);
    used = 20;
    vi.advanceTimersByTime(250);
    expect(peak.bytes()).toBe(30);
    used = 40;
    peak.stop();
    expect(peak.bytes()).toBe(40);
    used = 50;
    vi.advanceTimersByTime(1000);
    expect(peak.bytes()).toBe(40);
  } finally {
    vi.useRealTimers();
  }
});

test('a device without memory of its own has no peak', () => {
  const peak = watchDeviceMemory({});
  peak.stop();
  expect(peak.bytes()).toBe(0);
});
