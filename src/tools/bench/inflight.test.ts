import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { seededRandom } from '../../core/random.js';
import { parseDistribution } from './distribution.js';
import { inflightReport, inflightText, percentiles } from './latency-report.js';
import { arrivalTimes, generateWorkload, readDataset } from './workload.js';

const folder = mkdtempSync(join(tmpdir(), 'aloft-bench-'));
afterAll(() => rmSync(folder, { recursive: true }));

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
const draw = (text: string, count = 20000) => {
  const random = seededRandom(7);
  const distribution = parseDistribution(text, '--output_len');
  return Array.from({ length: count }, () => distribution(random));
};

describe('length distributions', () => {
  test.each([
    ['128', 128, 128, 128],
    ['constant:5', 5, 5, 5],
    ['uniform:16,256', 136, 16, 256],
    ['normal:128,8', 128, 60, 200],
    ['geometric:64,100000', 64, 1, 100000],
  ])('%s has mean %d within [%d, %d]', (text, expected, low, high) => {
    const lengths = draw(text);
    expect(Math.abs(mean(lengths) - expected)).toBeLessThanOrEqual(expected * 0.03);
    expect(Math.min(...lengths)).toBeGreaterThanOrEqual(low);
    expect(Math.max(...lengths)).toBeLessThanOrEqual(high);
  });

  test('the cap holds', () => expect(Math.max(...draw('geometric:64,90'))).toBe(90));

  test.each(['0', '-1', 'uniform:9,3', 'normal:x,1', 'poisson:3', 'constant:2,3', ''])(
    '%j is refused',
    (text) => {
      expect(() => parseDistribution(text, '--input_len')).toThrow(/^--input_len is /);
    },
  );
});

describe('workload', () => {
  test('equal seeds give equal workloads, and ids stay below the vocabulary', () => {
    const spec = {
      requestCount: 20,
      input: parseDistribution('uniform:1,50', 'x'),
      output: parseDistribution('8', 'x'),
      rate: 10,
      vocabulary: 100,
    };
    const items = generateWorkload(spec, seededRandom(1));
    expect(items).toEqual(generateWorkload(spec, seededRandom(1)));
    expect(items).not.toEqual(generateWorkload(spec, seededRandom(2)));
    expect(items.flatMap((item) => item.prompt as number[]).every((id) => id >= 0 && id < 100)).toBe(true);
  });

  test('Poisson arrivals have the asked mean gap; an infinite rate sends all at once', () => {
    const times = arrivalTimes(20000, 50, seededRandom(3));
    expect(times.at(-1)! / times.length).toBeCloseTo(20, 0);
    expect(arrivalTimes(3, Infinity, seededRandom(3))).toEqual([0, 0, 0]);
  });

  test.each([
    ['array.json', '[{"input_ids":[1,2],"output_len":3},{"input_ids":[4],"output_len":5}]'],
    [
      'samples.json',
      '{"metadata":{},\n"samples":[{"input_ids":[1,2],"output_len":3},{"input_ids":[4],"output_len":5}]}',
    ],
    [
      'samples-on-one-line.json',
      '{"samples":[{"input_ids":[1,2],"output_len":3},{"input_ids":[4],"output_len":5}]}',
    ],
    [
      'lines.jsonl',
      '{"task_id":1,"input_ids":[1,2],"output_tokens":3}\n{"task_id":2,"input_ids":[4],"output_tokens":5}\n',
    ],
  ])('data set %s is read', (name, text) => {
    writeFileSync(join(folder, name), text);
    expect(readDataset(join(folder, name), Infinity, seededRandom(1))).toEqual([
      { prompt: [1, 2], outputTokens: 3, arrivalMs: 0 },
      { prompt: [4], outputTokens: 5, arrivalMs: 0 },
    ]);
  });

  test.each([
    ['[]', /holds no requests/],
    ['[{"output_len":3}]', /item 1 has no 'input_ids'/],
    ['[{"input_ids":[1]}]', /item 1 has no 'output_len'/],
    ['{"input_ids":[1], }', /is no data set/],
    ['hello', /is no data set/],
  ])('data set %j is refused', (text, message) => {
    writeFileSync(join(folder, 'bad.json'), text);
    expect(() => readDataset(join(folder, 'bad.json'), Infinity, seededRandom(1))).toThrow(message);
  });
});

describe('report', () => {
  test('percentiles are nearest-rank', () => {
    const values = Array.from({ length: 100 }, (_, i) => 100 - i);
    expect(percentiles(values)).toEqual({
      average: 50.5,
      minimum: 1,
      p50: 50,
      p90: 90,
      p95: 95,
      p99: 99,
      maximum: 100,
    });
  });

  test('throughput and latencies of two known requests', () => {
    const records = [
      { inputTokens: 10, outputTokens: 3, firstTokenMs: 100, tokenMs: [100, 150, 200], endMs: 200 },
      { inputTokens: 20, outputTokens: 2, firstTokenMs: 200, tokenMs: [200, 300], endMs: 300 },
    ];
    const report = inflightReport(records, 500);
    expect(report.request_throughput_req_s).toBe(4);
    expect(report.system_output_throughput_tok_s).toBe(10);
    expect(report.ttft_percentiles.average).toBe(150);
    expect(report.tpot_percentiles).toMatchObject({ minimum: 50, maximum: 100 });
    expect(report.itl_percentiles.average).toBeCloseTo(200 / 3);
    expect(inflightText(report)).toMatch(/Total Output Throughput \(tokens\/sec\): {4}10\.00/);
  });
});
