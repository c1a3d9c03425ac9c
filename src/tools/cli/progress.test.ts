import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { barLine, durationText, progressLine, startProgress } from './progress.js';

const WORK = { name: 'bench', total: 16, unit: 'cases' };
const STATE = { done: 4.5, secondsPassed: 90, note: 'batch 4, 128,128: 7 runs' };

test.each([
  [0, '0 s'],
  [59.4, '59 s'],
  [60, '1 min'],
  [130, '2 min 10 s'],
  [3600, '1 h'],
  [3900, '1 h 5 min'],
])('%s s is written %s', (seconds, text) => {
  expect(durationText(seconds)).toBe(text);
});

describe('one line', () => {
  test('says what is done, how long the rest takes, and where the work is', () => {
    expect(progressLine(WORK, STATE)).toBe(
      'bench: 4 of 16 cases, 3 min 50 s left (batch 4, 128,128: 7 runs)',
    );
    expect(progressLine(WORK, { done: 0, secondsPassed: 3, note: undefined })).toBe('bench: 0 of 16 cases');
  });

  test.each([40, 60, 80, 140])('is narrower than a screen of %i columns', (columns) => {
    const line = barLine(WORK, STATE, columns);
    expect(line.length).toBeLessThan(columns);
    expect(line).toContain('4 of 16 cases, 3 min 50 s left');
    expect(line.includes('7 runs')).toBe(columns >= 80);
    expect(line.includes('█')).toBe(columns >= 60);
  });

  test('is cut where there is no room even for the count', () => {
    expect(barLine(WORK, STATE, 20)).toBe('bench: 4 of 16 case');
  });
});

describe('without a screen', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test('there is a line each half minute, and none after the end', () => {
    const lines: string[] = [];
    const terminal = { out() {}, err: (text: string) => void lines.push(text), isInteractive: false };
    const progress = startProgress(terminal, WORK);
    progress.update(4, 'batch 1');
    vi.advanceTimersByTime(29_000);
    expect(lines).toEqual([]);
    vi.advanceTimersByTime(31_000);
    expect(lines).toHaveLength(2);
    expect(lines[1]).toMatch(/^bench: 4 of 16 cases, \d.* left \(batch 1\)\n$/);
    progress.stop();
    vi.advanceTimersByTime(60_000);
    expect(lines).toHaveLength(2);
  });
});

test('on a screen there is a bar, which is gone at the end', () => {
  const shown: string[] = [];
  const screen = Object.assign(new PassThrough(), { isTTY: true, columns: 60 });
  screen.on('data', (bytes: Buffer) => void shown.push(bytes.toString()));
  const terminal = {
    out() {},
    err() {},
    isInteractive: true,
    screen: screen as unknown as NodeJS.WriteStream,
  };
  const progress = startProgress(terminal, WORK);
  progress.update(8);
  progress.clear();
  progress.update(9);
  progress.stop();
  progress.stop();
  progress.update(10); // of work that was cut off
  const text = shown.join('');
  expect(text).not.toContain('10 of 16');
  expect(text).toContain('bench |');
  expect(text).toMatch(/9 of 16 cases/);
  const LINE_CLEARED = `${String.fromCodePoint(27)}[2K`;
  expect(text.lastIndexOf(LINE_CLEARED)).toBeGreaterThan(text.lastIndexOf('cases'));
});
