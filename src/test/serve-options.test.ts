/** Engine options of the server's command line, from the flag to the opened engine. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { createRepository } from '../serve/repository/create.js';
import { buildTemporaryEngine, DEMO_MODEL, type TemporaryEngine } from './build-and-open.js';
import { DEVICE } from './device.js';

const ALOFT = fileURLToPath(new URL('../../bin/aloft.js', import.meta.url));
const FREE_PORTS = ['--http-port', '0', '--grpc-port', '0', '--metrics-port', '0'];

let engine: TemporaryEngine;
let directory: string;
let server: ChildProcess;
beforeAll(async () => {
  const sizes = { max_batch_size: '16', max_input_len: '512', max_output_len: '512' };
  engine = await buildTemporaryEngine({ model_dir: DEMO_MODEL, ...sizes });
  directory = mkdtempSync(join(tmpdir(), 'aloft-options-'));
});
afterAll(() => {
  engine.dispose();
  rmSync(directory, { recursive: true, force: true });
});
afterEach(stop);

async function stop(): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  server.kill('SIGKILL');
  await once(server, 'exit');
}

/** Serves until the models are loaded. @returns what the server has printed */
async function serve(...flags: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, [ALOFT, 'serve', ...FREE_PORTS, ...flags], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  server = child;
  let text = '';
  return await new Promise((resolve, reject) => {
    child.once('exit', () => reject(new Error(`The server ended:\n${text}`)));
    child.stderr.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (/Try: aloft chat -u/.test(text)) resolve(text);
    });
  });
}

/** MiB of KV blocks in the line that the server prints. */
const kvMebibytes = (text: string): number => Number(/KV blocks ([\d.]+) MiB/.exec(text)?.[1]);

/** MiB of K and V of the demo model: 6 layers with 4 heads of 32 numbers in 16 bits. */
const mebibytesOf = (tokens: number): number => (tokens * 2 * 6 * 4 * 32 * 2) / 2 ** 20;

test('a flag reaches the engine of --engine-dir, and the server prints it', async () => {
  const printed = await serve(
    ...['--engine-dir', engine.directory, '--max_tokens_in_paged_kv_cache', '4096'],
    ...['--scheduler_policy', 'max_utilization'],
  );
  expect(printed).toMatch(/\| engineOptions +\| maxKvTokens 4096, policy max_utilization +\|/);
  expect(kvMebibytes(printed)).toBe(mebibytesOf(4096));
  // What nobody changed is not printed.
  expect(printed).not.toContain('maxQueuedRequests');
});

test.runIf(DEVICE === 'cpu')(
  'a repository may hold engines for several devices, so it only warns',
  async () => {
    const repository = join(directory, 'for-gpus');
    createRepository({ engineDirectory: engine.directory, outputDirectory: repository, options: { gpu: 1 } });
    const printed = await serve('--model-repo', repository, '--share_gpu', '--threads', '1');
    const reason = "is for engines that were built for 'cuda', and this one was built for 'cpu'.";
    for (const subject of ["--gpu or parameter 'gpu_device_ids'", '--share_gpu'])
      expect(printed).toContain(`warning: ${subject} has no effect: it ${reason}`);
    expect(printed).not.toContain('--threads has');
  },
);

test('config.pbtxt overrides a flag of the command line', async () => {
  const [open, set] = [join(directory, 'open'), join(directory, 'set')];
  const engineDirectory = engine.directory;
  createRepository({ engineDirectory, outputDirectory: open });
  createRepository({ engineDirectory, outputDirectory: set, options: { maxKvTokens: 8192 } });
  const flag = ['--max_tokens_in_paged_kvcache', '4096'];
  expect(kvMebibytes(await serve('--model-repo', open, ...flag))).toBe(mebibytesOf(4096));
  await stop();
  expect(kvMebibytes(await serve('--model-repo', set, ...flag))).toBe(mebibytesOf(8192));
});
