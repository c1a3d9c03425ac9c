import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestServer, type TestServer } from '../../../serve/testing/test-server.js';
import { COMMANDS } from '../../cli/commands.js';
import { main } from '../../cli/main.js';
import { goodput, sendWorkload } from './send-workload.js';
import { openTarget, type Api } from './target.js';

let server: TestServer;
let directory: string;
beforeAll(async () => {
  server = await startTestServer({ script: { tokenMs: 2, answer: () => 'abcdefghijkl' } });
  directory = mkdtempSync(join(tmpdir(), 'aloft-bench-'));
});
afterAll(async () => {
  await server.close();
  rmSync(directory, { recursive: true, force: true });
});

const address = (api: Api) => (api === 'grpc' ? server.grpcAddress : server.httpUrl);

test.each<Api>(['grpc', 'generate', 'openai'])(
  '%s: counts and times every token, of ids and of text',
  async (api) => {
    const target = await openTarget({ api, url: address(api), model: undefined, apiKey: undefined });
    const items = [
      { prompt: [100, 101, 102], outputTokens: 10, arrivalMs: 0 },
      { prompt: 'text', outputTokens: 6, arrivalMs: 40 },
    ];
    const result = await sendWorkload(items, target, { concurrency: 2 });
    target.close();
    expect([...result.errors]).toEqual([]);
    expect(result.records.map((record) => record.outputTokens).toSorted((a, b) => a - b)).toEqual([6, 10]);
    for (const record of result.records)
      expect(record.tokenMs.toSorted((a, b) => a - b)).toEqual(record.tokenMs);
    expect(result.totalMs).toBeGreaterThan(40);
    expect(goodput(result, { maxFirstTokenMs: 0, maxTokenGapMs: undefined })).toBe(0);
    expect(goodput(result, { maxFirstTokenMs: undefined, maxTokenGapMs: undefined })).toBeCloseTo(
      (2 / result.totalMs) * 1000,
    );
  },
);

test('the command sweeps, reports and writes both files', async () => {
  let out = '';
  const terminal = { out: (text: string) => void (out += text), err: () => {}, isInteractive: false };
  const [json, html] = [join(directory, 'r.json'), join(directory, 'r.html')];
  const words = `bench serve -u ${server.grpcAddress} -c 1,4 --num_requests 6 --output_len constant:5 --seed 3 --json ${json} --html ${html}`;
  expect(await main(words.split(' '), COMMANDS, terminal)).toBe(0);
  expect(out).toMatch(/requests at a time: 1, goodput[^]*requests at a time: 4, goodput/);
  const { points, workload } = JSON.parse(readFileSync(json, 'utf8'));
  expect(
    points.map((point: { load: number; report: { avg_output_length: number } }) => [
      point.load,
      point.report.avg_output_length,
    ]),
  ).toEqual([
    [1, 5],
    [4, 5],
  ]);
  expect(workload.seed).toBe(3);
  expect(readFileSync(html, 'utf8')).toContain('<title>grpc at');
  const compared = join(directory, 'compared.html');
  const again = `bench serve -u ${server.grpcAddress} -c 1 --num_requests 2 --html ${compared} --compare ${json}`;
  expect(await main(again.split(' '), COMMANDS, terminal)).toBe(0);
  expect(readFileSync(compared, 'utf8')).toContain('Changes since the earlier run');
});

test('Ctrl-C ends a sweep, and what is done is written, marked partial', async () => {
  const json = join(directory, 'partial.json');
  const out = (text: string): void => {
    if (text.includes('requests at a time: 1')) process.emit('SIGINT', 'SIGINT');
  };
  let err = '';
  const terminal = { out, err: (text: string) => void (err += text), isInteractive: false };
  const words = `bench serve -u ${server.grpcAddress} -c 1,2,4 --num_requests 2 --json ${json}`;
  expect(await main(words.split(' '), COMMANDS, terminal)).toBe(130);
  const { points, partial } = JSON.parse(readFileSync(json, 'utf8'));
  expect([points.length, partial]).toEqual([1, true]);
  expect(err).toMatch(/^3 loads of 2 requests\.$/m);
});

test('a failed warm-up request ends the sweep before anything is measured', async () => {
  let err = '';
  const html = join(directory, 'nobody.html');
  const terminal = { out: () => {}, err: (text: string) => void (err += text), isInteractive: false };
  const words = `bench serve -u 127.0.0.1:9 -c 1,2 --num_requests 2 --html ${html}`;
  expect(await main(words.split(' '), COMMANDS, terminal)).toBe(1);
  expect(err).toMatch(/A warm-up request failed: .*127\.0\.0\.1:9/);
  expect(existsSync(html)).toBe(false);
});

test('failed requests are counted and make the command fail', async () => {
  let err = '';
  const terminal = { out: () => {}, err: (text: string) => void (err += text), isInteractive: false };
  const words = `bench serve -u ${server.grpcAddress} -m nope -c 1 --num_requests 2 --warm_up 0`;
  expect(await main(words.split(' '), COMMANDS, terminal)).toBe(1);
  expect(err).toContain("2 requests failed: Request for unknown model: 'nope' is not found");
});
