import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { EARLIER_STATIC } from '../bench/static-report.js';
import { readEarlier } from './earlier-result.js';
import { binsOf, histogramOf } from './histogram.js';
import { htmlReport } from './html.js';

const folder = mkdtempSync(join(tmpdir(), 'aloft-report-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('histogram', () => {
  test('bins have ten borders a decade, the same in every run', () => {
    const bins = binsOf(histogramOf([1, 1.1, 10, 99, 0, NaN, Infinity]));
    expect(bins.map(({ from, count }) => [Number(from.toFixed(3)), count])).toEqual([
      [1, 2],
      [10, 1],
      [79.433, 1],
    ]);
    expect(bins.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1);
    expect(binsOf(histogramOf([]))).toEqual([]);
  });
});

describe('an earlier result', () => {
  test.each([
    ['nothing.json', undefined, /cannot be read: ENOENT/],
    ['text.json', 'hello', /cannot be read: .*JSON/],
    ['other.json', '{"points":[]}', /is no result of 'aloft bench --json'/],
  ])('%s is refused', (name, text, message) => {
    const path = join(folder, name);
    if (text !== undefined) writeFileSync(path, text);
    expect(() => readEarlier(path, EARLIER_STATIC, 'aloft bench')).toThrow(message);
  });
});

test('no text of a report can end the script that holds it', () => {
  const html = htmlReport({ title: '</script><b>', facts: [], charts: [], tables: [] });
  expect(html).toContain('<title>&lt;/script>&lt;b></title>');
  expect(html.slice(html.indexOf('</title>')).match(/<\/script>/g)).toHaveLength(2);
});
