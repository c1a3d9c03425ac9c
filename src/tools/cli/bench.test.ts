/** `aloft bench` over the demo model: sweeps, reports, and what Ctrl-C leaves. */
import { existsSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { COMMANDS } from './commands.js';
import { main } from './main.js';
import { aloft, buildDemo, temporaryFolder } from './testing/command-line.js';

const folder = temporaryFolder();
const engine = folder.path('engine');
beforeAll(() => buildDemo(engine));
afterAll(() => folder.dispose());

const read = (name: string): string => readFileSync(folder.path(name), 'utf8');
const QUICK = ['--engine_dir', engine, '--input_output_len', '8,4', '--warm_up', '0', '--num_runs', '1'];

test('a sweep says what it will do, and writes a report that compares it with an earlier one', async () => {
  const sweep = ['bench', ...QUICK, '--duration', '0.05', '--batch_size', '1;2'];
  const first = await aloft(...sweep, '--json', folder.path('one.json'));
  expect(first.err).toBe('2 cases, each of 1 runs and 0.05 s at least: at least 0 s.\n');
  const files = ['--compare', folder.path('one.json'), '--html', folder.path('two.html')];
  expect((await aloft(...sweep, ...files)).status).toBe(0);
  const row = { model_name: 'engine' };
  expect(JSON.parse(read('one.json'))).toMatchObject({ partial: false, rows: [row, row] });
  expect(read('two.html')).toContain('tokens_per_sec, change in %');
});

test('a sweep of which no case fits the engine is an error, and each case that does not is named', async () => {
  const json = folder.path('nothing.json');
  const { status, out, err } = await aloft('bench', ...QUICK, '--batch_size', '5;6', '--json', json);
  expect(out.match(/^\[WARNING\] check batch_size\([56]\) <= max_batch_size\(4\) failed/gm)).toHaveLength(2);
  expect([status, err]).toEqual([
    2,
    'aloft: No case of --batch_size and --input_output_len is within the limits of the engine (batches of 4, 128 tokens in, 64 out), so there is nothing to measure; give smaller numbers, or build an engine with larger limits. [USAGE]\n',
  ]);
  expect(existsSync(json)).toBe(false);
});

test('Ctrl-C ends a sweep, and the cases that are done are written, marked partial', async () => {
  let out = '';
  const terminal = {
    out: (text: string) => {
      out += text;
      if (text.startsWith('[BENCHMARK]')) process.emit('SIGINT', 'SIGINT');
    },
    err: () => {},
    isInteractive: false,
  };
  const files = ['--json', folder.path('partial.json'), '--html', folder.path('partial.html')];
  const words = ['bench', ...QUICK, '--duration', '0', '--batch_size', '1;2;4', ...files];
  expect(await main(words, COMMANDS, terminal)).toBe(130);
  expect(out).toMatch(/^\| 8,4 \| [\d.]+ \|$/m);
  const { rows, partial } = JSON.parse(read('partial.json')) as { rows: unknown[]; partial: boolean };
  expect([rows.length, partial]).toEqual([1, true]);
  expect(read('partial.html')).toContain('Stopped before its end');
});

test('a file that cannot be written is refused before anything is built or measured', async () => {
  for (const flag of ['--json', '--html']) {
    const { status, out, err } = await aloft('bench', ...QUICK, flag, engine);
    expect([status, out, err]).toEqual([
      2,
      '',
      `aloft: ${engine} is a directory, not a file; name a file. [OUTPUT_FAILED]\n`,
    ]);
  }
});

test('Ctrl-C ends requests in flight, and those that are done are reported', async () => {
  const terminal = {
    out: () => {},
    err: () => void setTimeout(() => process.emit('SIGINT', 'SIGINT'), 1500),
    isInteractive: false,
  };
  const files = ['--json', folder.path('inflight.json'), '--html', folder.path('inflight.html')];
  const load = ['--num_requests', '500', '--request_rate', '20', '--output_len', 'constant:4'];
  const words = ['bench', '--engine_dir', engine, '--type', 'IFB', '--input_len', 'constant:8'];
  expect(await main([...words, ...load, ...files], COMMANDS, terminal)).toBe(130);
  const { report, partial } = JSON.parse(read('inflight.json')) as {
    report: { num_requests: number };
    partial: boolean;
  };
  expect(partial).toBe(true);
  expect(report.num_requests).toBeGreaterThan(0);
  expect(report.num_requests).toBeLessThan(500);
  expect(read('inflight.html')).toContain('the requests after these are missing');
});
