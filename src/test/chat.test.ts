/** `aloft chat`, and engines named by a checkpoint, as a user starts them. */
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DEMO_MODEL } from './build-and-open.js';
import { type DemoServer, startDemoServer } from './demo-server.js';

const ALOFT = fileURLToPath(new URL('../../bin/aloft.js', import.meta.url));
const home = mkdtempSync(join(tmpdir(), 'aloft-test-'));
const model = join(home, 'model');
const env = { ...process.env, XDG_CACHE_HOME: join(home, 'cache'), XDG_STATE_HOME: join(home, 'state') };
beforeAll(() => cpSync(DEMO_MODEL, model, { recursive: true }));
afterAll(() => rmSync(home, { recursive: true }));

function aloft(words: readonly string[], input: string) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [ALOFT, ...words], {
    env,
    input,
    encoding: 'utf8',
  });
  return { status, out: stdout, err: stderr };
}
const engines = () => readdirSync(join(home, 'cache/aloft/engines'));
const GREEDY = ['--set', 'temperature=0', '--set', 'max_tokens=12'];
const QUESTION = 'What is deep learning ?\n';

test('a checkpoint is built once, and again when one of its files changes', () => {
  const first = aloft(
    ['run', model, '-', '--max_output_len', '8', '--temperature', '0'],
    'Once upon a time\n',
  );
  expect(first).toMatchObject({ status: 0, out: expect.stringContaining('Input: "Once upon a time"') });
  expect(first.err).toContain('To build, once: an engine of');
  const again = aloft(['run', model, 'Once upon a time', '--max_output_len', '8', '--temperature', '0'], '');
  expect([again.status, again.err]).toEqual([0, expect.stringMatching(/^\[.* ended by length\]\n$/)]);
  expect(again.out).toBe(first.out);
  expect(engines()).toHaveLength(1);
  utimesSync(join(model, 'config.json'), 1, 1);
  expect(aloft(['run', model, 'Once', '--max_output_len', '1'], '').err).toContain(
    'To build, once: an engine of',
  );
  expect(engines()).toHaveLength(2);
});

let demo: DemoServer;
beforeAll(async () => (demo = await startDemoServer()));
afterAll(() => demo.close());

/** The same while this process serves: `spawnSync` would hold its event loop. */
async function aloftMeanwhile(words: readonly string[], input: string) {
  const child = spawn(process.execPath, [ALOFT, ...words], { env, stdio: ['pipe', 'pipe', 'pipe'] });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  child.stdin.end(input);
  const status = await new Promise((resolve) => child.on('close', resolve));
  return { status, out, err };
}

test('a chat with an engine and a chat with a server give the same answers', async () => {
  const lines = `${QUESTION}And rain ?\n/stats\n`;
  const local = aloft(['chat', model, ...GREEDY], lines);
  const remote = await aloftMeanwhile(['chat', '-u', demo.httpUrl, ...GREEDY], lines);
  expect([local.status, remote.status, remote.err]).toEqual([0, 0, '']);
  const [first, second, stats] = local.out.split('\n');
  expect(remote.out.split('\n').slice(0, 2)).toEqual([first, second]);
  expect(first).not.toBe('');
  expect(stats).toMatch(/^\S+: \d+ \+ \d+ tokens, .* ended by length$/);
  expect(remote.out.split('\n')[2]).toMatch(/^\S+: \d+ \+ \d+ tokens, .* ended by length$/);
});

test.each([
  [['chat', 'engine', '-u', 'localhost:1'], /were both given/, 2],
  [['chat', '-u', 'localhost:1'], /cannot be reached/, 1],
  [['chat', join(home, 'absent')], /absent/, 2],
  [['chat', '--set', 'temperature'], /give a name and a value/, 2],
  [['run', model, '--engine_dir', 'other'], /were both given/, 2],
  [['run', model, 'text', '--input_text', 'other'], /were both given/, 2],
  [['serve', model, '--engine_dir', 'other'], /were both given/, 2],
])('%j is refused in one sentence', (words, message, expected) => {
  const { status, out, err } = aloft(words, QUESTION);
  expect([status, out, err.trimEnd().split('\n').length]).toEqual([expected, '', 1]);
  expect(err).toMatch(message);
});
