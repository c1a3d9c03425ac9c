import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ChromeTrace } from '../profile/chrome-trace.js';
import type { ProfiledPhase } from '../profile/profile-report.js';
import { aloft, buildDemo, temporaryFolder } from './testing/command-line.js';

const folder = temporaryFolder();
const engine = folder.path('engine');
beforeAll(() => buildDemo(engine));
afterAll(() => folder.dispose());

test('times every op of the prompt and of decode steps, as table and as trace', async () => {
  const output = folder.path('trace.json');
  const [json, html] = [folder.path('profile.json'), folder.path('profile.html')];
  const files = ['--output', output, '--json', json, '--html', html];
  const work = ['--batch_size', '2', '--input_output_len', '40,3', ...files];
  const { status, out, err } = await aloft('profile', '--engine_dir', engine, ...work);
  expect([status, err]).toEqual([0, [output, json, html].map((file) => `Wrote ${file}.\n`).join('')]);
  expect(out).toMatch(
    /^Measured limits of this CPU: reading \d+\.\d GB\/s, \d+\.\d\d TFLOP\/s for f16 weights\.$/m,
  );
  expect(out).toMatch(/^batch 2, 40 \+ 3 tokens$/m);
  expect(out).toMatch(/^decode: \d+\.\d+ ms a step, mean of 2$/m);
  expect(out).toMatch(/^linear mlp\.proj 256x688 f16 +6 +\d+\.\d+ +\d+\.\d% .* +\d+% +linear$/m);
  expect(out.match(/^pagedAttention +6 /gm)).toHaveLength(2);
  const { phases } = JSON.parse(readFileSync(json, 'utf8')) as { phases: readonly ProfiledPhase[] };
  expect(phases.map(({ phase, stepCount }) => [phase, stepCount])).toEqual([
    ['prefill', 1],
    ['decode', 2],
  ]);
  const op = phases[1]!.ops.find(({ name }) => name === 'linear mlp.proj 256x688 f16');
  expect(op!.kernels).toEqual(['linear']);
  expect(readFileSync(html, 'utf8')).toContain('"batch 2, 40 + 3 tokens: decode"');
  const again = ['--batch_size', '2', '--input_output_len', '40,3', '--html', html, '--compare', json];
  expect((await aloft('profile', '--engine_dir', engine, ...again)).status).toBe(0);
  expect(readFileSync(html, 'utf8')).toContain('"ms earlier","change, %"');
  const { traceEvents } = JSON.parse(readFileSync(output, 'utf8')) as ChromeTrace;
  const steps = traceEvents.filter(({ cat }) => cat === 'step');
  expect(steps.map(({ name }) => name.split(' ')[0])).toEqual(['prefill', 'decode', 'decode']);
  for (const { ts, dur } of steps) {
    const calls = traceEvents.filter((one) => one.cat === 'call' && one.ts >= ts && one.ts < ts + dur!);
    expect(calls.at(-1)!.name).toBe('sample');
    const callUs = calls.reduce((sum, call) => sum + call.dur!, 0);
    expect(callUs).toBeLessThanOrEqual(dur! * 1.0001);
  }
});

test('a file that cannot be written is refused before a step is timed', async () => {
  for (const flag of ['--json', '--html', '--output']) {
    const { status, out, err } = await aloft('profile', '--engine_dir', engine, flag, engine);
    expect([status, out, err]).toEqual([
      2,
      '',
      `aloft: ${engine} is a directory, not a file; name a file. [OUTPUT_FAILED]\n`,
    ]);
  }
});

test('a batch that the engine does not take is refused with its limits, before those that it takes run', async () => {
  const { status, out, err } = await aloft('profile', '--engine_dir', engine, '--batch_size', '1;99');
  expect([status, out]).toEqual([2, '']);
  expect(err).toMatch(/The engine takes 4 sequences of 192 tokens, not 99 of 144/);
});
