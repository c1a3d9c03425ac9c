/** A process of a command on two ranks is killed at some point of its life: all of them end within two seconds, with one coded error. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { seededRandom } from '../core/random.js';
import { buildTemporaryEngine, DEMO_MODEL, type TemporaryEngine } from './build-and-open.js';
import { childrenOf, isRunning } from './processes.js';

const ALOFT = fileURLToPath(new URL('../../bin/aloft.js', import.meta.url));
const KILL_COUNT = 20;
const LIMIT_MS = 2000;

let engine: TemporaryEngine;
beforeAll(async () => {
  const sizes = { max_batch_size: '4', max_input_len: '64', max_output_len: '512' };
  engine = await buildTemporaryEngine({ model_dir: DEMO_MODEL, ...sizes, tp_size: '2', world_size: '2' });
});
afterAll(() => engine.dispose());

interface Killed {
  readonly who: 'leader' | 'follower';
  readonly afterMs: number;
}

interface Ending {
  /** From the kill until no process was left, ms. */
  readonly ms: number;
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs a command that takes a while, kills one of its processes after some time, and waits until none is left. */
async function killOne({ who, afterMs }: Killed): Promise<Ending> {
  const flags = [
    '--max-output-len',
    '256',
    '--ignore-eos',
    '--temperature',
    '0',
    '--no-streaming',
    '--threads',
    '1',
  ];
  const command = spawn(process.execPath, [ALOFT, 'run', '--engine-dir', engine.directory, ...flags], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [out, err]: [string[], string[]] = [[], []];
  command.stdout.on('data', (chunk: Buffer) => out.push(chunk.toString()));
  command.stderr.on('data', (chunk: Buffer) => err.push(chunk.toString()));
  const closed = once(command, 'close');
  const pid = command.pid!;
  while (childrenOf(pid).length === 0 && command.exitCode === null) await pause(5);
  await pause(afterMs);
  const ranks = childrenOf(pid);
  const startMs = performance.now();
  try {
    process.kill(who === 'leader' ? pid : (ranks[0] ?? pid), 'SIGKILL');
  } catch {
    // It has ended already.
  }
  while ([pid, ...ranks].some(isRunning)) await pause(5);
  const ms = performance.now() - startMs;
  await closed;
  return { ms, status: command.exitCode, out: out.join(''), err: err.join('') };
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

// From the start of a rank's process: it loads for some 300 ms, and the command ends within some two seconds.
const random = seededRandom(5);
const kills = Array.from({ length: KILL_COUNT }, (_, i): Killed => ({
  who: i % 4 === 0 ? 'leader' : 'follower',
  afterMs: Math.round(random.next() * 1500),
}));

test.each(kills)('the $who is killed $afterMs ms after it started', async (killed) => {
  const { ms, status, out, err } = await killOne(killed);
  expect(ms).toBeLessThan(LIMIT_MS);
  if (killed.who === 'leader' || status === 0) {
    // A leader says nothing more; a follower that is killed when all is done harms nobody.
    if (status === 0) expect(out).toContain('256 output tokens');
    return;
  }
  // A prompt that comes after the death is refused by the engine that has stopped, which names the same cause.
  expect([status, err.match(/\[(RANK_DIED|MODEL_UNAVAILABLE)\]/g)?.length]).toEqual([1, 1]);
  expect(err).toMatch(/Rank 1 .*\(process \d+\)/);
});
