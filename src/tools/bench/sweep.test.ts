import { describe, expect, test } from 'vitest';
import {
  benchmarkLine,
  csvHeader,
  csvLine,
  markdownTable,
  type SweepRow,
  type SweepSubject,
} from './report.js';
import {
  latencyStatistics,
  outputTokensPerSecond,
  parseBatchSizes,
  parseLengths,
  planSweep,
} from './sweep.js';

const LIMITS = { maxBatch: 8, maxInputTokens: 2048, maxOutputTokens: 2048 };

const SUBJECT: SweepSubject = {
  modelName: 'llama_7b',
  worldSize: 1,
  headCount: 32,
  kvHeadCount: 32,
  layerCount: 32,
  hidden: 4096,
  vocabulary: 32000,
  precision: 'float16',
  buildSeconds: 0,
  computeCap: 'sm70',
  quantisation: 'int8',
  device: 'test',
};

/** The article's second row: batch 4, 128 in, 128 out. */
const ARTICLE_ROW: SweepRow = {
  type: 'measured',
  case: { batch: 4, inputTokens: 128, outputTokens: 128 },
  latency: { meanMs: 2803.97, percentile95Ms: 2805.113, percentile99Ms: 2805.18 },
  runCount: 22,
  peakGpuGiB: 22.98,
  firstTokenMs: 150,
  decode: { stepMs: 20, hostUs: 30, exposedUs: NaN },
};

describe('sweep', () => {
  test('lists are parsed as the article writes them', () => {
    expect(parseBatchSizes('1;4;8;16')).toEqual([1, 4, 8, 16]);
    expect(parseLengths('128,128;128,2048')).toEqual([
      { inputTokens: 128, outputTokens: 128 },
      { inputTokens: 128, outputTokens: 2048 },
    ]);
  });

  test.each(['', '1;', '0', '1,2', 'x', '1.5'])('batch list %j is refused with an example', (text) => {
    expect(() => parseBatchSizes(text)).toThrow(/--batch_size .*for example/);
  });

  test.each(['128', '128,', '1,2,3', '128;128'])('length list %j is refused with an example', (text) => {
    expect(() => parseLengths(text)).toThrow(/--input_output_len .*for example/);
  });

  test('pairs are the outer loop, batches the inner one, and what exceeds the limits is skipped in the original words', () => {
    const { cases, warnings } = planSweep(parseLengths('128,128;4096,128'), [1, 16], LIMITS);
    expect(cases).toEqual([{ batch: 1, inputTokens: 128, outputTokens: 128 }]);
    expect(warnings).toEqual([
      'check batch_size(16) <= max_batch_size(8) failed, skipping.',
      'check inlen(4096) <= max_inlen(2048) and outlen(128) <= max_outlen(2048) failed, skipping.',
    ]);
  });

  test('percentiles are elements of the sorted list', () => {
    const statistics = latencyStatistics([10, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(statistics).toEqual({ meanMs: 5.5, percentile95Ms: 10, percentile99Ms: 10 });
  });

  test("the article's tokens per second follow from its latency", () => {
    expect(outputTokensPerSecond(ARTICLE_ROW.case, 2803.97).toFixed(1)).toBe('182.6');
  });
});

describe('report', () => {
  test("the [BENCHMARK] line starts with the original's fields in the original's order", () => {
    expect(benchmarkLine(SUBJECT, ARTICLE_ROW)).toMatch(
      /^\[BENCHMARK\] model_name llama_7b world_size 1 num_heads 32 num_kv_heads 32 num_layers 32 hidden_size 4096 vocab_size 32000 precision float16 batch_size 4 input_length 128 output_length 128 gpu_peak_mem\(gb\) 22.98 build_time\(s\) 0 tokens_per_sec 182.6 percentile95\(ms\) 2805.113 percentile99\(ms\) 2805.18 latency\(ms\) 2803.97 compute_cap sm70 /,
    );
  });

  test('a case without decode steps has no figures of them', () => {
    expect(benchmarkLine(SUBJECT, ARTICLE_ROW)).toContain(
      'decode_step(ms) 20 host_time(us) 30 exposed_host_time(us) none',
    );
  });

  test('a row that does not fit says so with its bytes', () => {
    const row: SweepRow = { type: 'oom', case: ARTICLE_ROW.case, wantedBytes: 100, availableBytes: 60 };
    expect(benchmarkLine(SUBJECT, row)).toMatch(/tokens_per_sec OOM .*wanted_bytes 100 available_bytes 60$/);
    expect(markdownTable([ARTICLE_ROW, row])).toContain('182.6');
    expect(markdownTable([row])).toContain('| 128,128 | OOM |');
  });

  test('CSV header and line have the same number of columns', () => {
    const columns = csvHeader(SUBJECT, ARTICLE_ROW).split(',').length;
    expect(csvLine(SUBJECT, ARTICLE_ROW).split(',')).toHaveLength(columns);
  });
});
