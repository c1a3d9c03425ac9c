import { describe, expect, test, vi } from 'vitest';
import SummaryReporter, { skippedLines } from './summary-reporter.mjs';

describe('skipped tests', () => {
  test('are counted for each file and need', () => {
    const playground = 'playground [needs Chromium: apt-get install chromium]';
    const tests = [
      { file: 'dist/a.test.js', name: `${playground} > a chat` },
      { file: 'dist/a.test.js', name: `${playground} > a crowd` },
      { file: 'dist/b.test.js', name: 'layout [needs cuda.h: install the CUDA toolkit]' },
    ];
    expect(skippedLines(tests)).toEqual([
      '2 in dist/a.test.js: needs Chromium: apt-get install chromium',
      '1 in dist/b.test.js: needs cuda.h: install the CUDA toolkit',
    ]);
  });

  test('without a need are named', () => {
    expect(skippedLines([{ file: 'dist/a.test.js', name: 'a > b' }])).toEqual([
      "1 in dist/a.test.js: 'a > b' names no need",
    ]);
  });
});

test('a run ends with the skipped tests and one line of counts', () => {
  const print = vi.spyOn(console, 'log').mockImplementation(() => {});
  const tests = ['passed', 'passed', 'skipped'].map((state) => ({
    result: () => ({ state }),
    fullName: 'suite > test',
  }));
  const children = { size: 1, allTests: () => tests };
  const broken = { state: () => 'failed', relativeModuleId: 'y', children: { size: 0, allTests: () => [] } };
  try {
    new SummaryReporter().onTestRunEnd([{ state: () => 'passed', relativeModuleId: 'x', children }, broken]);
    expect(print.mock.calls.flat()).toEqual([
      "\nSkipped:\n  1 in x: 'suite > test' names no need\n",
      '2 passed, 1 failed, 1 skipped',
    ]);
  } finally {
    print.mockRestore();
  }
});
