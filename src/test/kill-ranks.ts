/** Kills a process of a command on two ranks at some point of its life, and reports how the command ended. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { seededRandom } from '../core/random.js';
import { childPids, isRunning } from './processes.js';

const ALOFT = fileURLToPath(new URL('../../bin/aloft.js', import.meta.url));
const RUN_FLAGS = '--max-output-len 480 --ignore-eos --temperature 0 --no-streaming --threads 1'.split(' ');
/** From the start of a rank's process, which loads for some 300 ms and, on a quiet machine, ends within about a second. */
const LATEST_KILL_MS = 1000;

interface Kill {
  readonly who: 'leader' | 'follower';
  /** From the start of the first follower, ms. */
  readonly afterMs: number;
}

interface Ending {
  /** From the kill until no process was left, ms. */
  readonly ms: number;
  /** Exit code of the command; null when the leader was killed. */
  readonly status: number | null;
  readonly err: string;
}

/** Kills at seeded random times, a quarter of them of the leader. */
export function randomKills(count: number, seed: number): Kill[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, (_, i) => ({
    who: i % 4 === 0 ? 'leader' : 'follower',
    afterMs: Math.round(random.next() * LATEST_KILL_MS),
  }));
}

/**
 * Runs a command that takes a while, kills one of its processes, and waits until none is left. Nobody is killed when the
 * process has ended before.
 * @param flags of the command besides
 */
export async function killRank(
  engineDirectory: string,
  { who, afterMs }: Kill,
  flags: readonly string[] = [],
): Promise<Ending> {
  const words = [ALOFT, 'run', '--engine-dir', engineDirectory, ...RUN_FLAGS, ...flags];
  const command = spawn(process.execPath, words, { stdio: ['ignore', 'ignore', 'pipe'] });
  const err: string[] = [];
  command.stderr.on('data', (chunk: Buffer) => err.push(chunk.toString()));
  const closed = once(command, 'close');
  const pid = command.pid!;
  while (childPids(pid).length === 0 && command.exitCode === null) await pause(5);
  await pause(afterMs);
  const followers = childPids(pid);
  const startMs = performance.now();
  const victim = who === 'leader' ? pid : followers[0];
  if (victim !== undefined && isRunning(victim)) process.kill(victim, 'SIGKILL');
  while ([pid, ...followers].some(isRunning)) await pause(5);
  const ms = performance.now() - startMs;
  await closed;
  return { ms, status: command.exitCode, err: err.join('') };
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Fault in the end of a command whose rank was killed; undefined when it is as it should be. */
export function killFault({ who }: Kill, { status, err }: Ending): string | undefined {
  // A process that was killed when all was done harms nobody.
  if (status === 0)
    return err.includes('480 output tokens') ? undefined : 'it reports success without its tokens';
  if (who === 'leader') return status === null ? undefined : `a killed leader exits with ${status}`;
  if (status !== 1) return `it exits with ${status}`;
  // A prompt that comes after the death is refused by the engine that has stopped, which names the same cause.
  const codes = err.match(/\[(RANK_DIED|MODEL_UNAVAILABLE)\]/g)?.length ?? 0;
  if (codes !== 1) return `it prints ${codes} coded errors`;
  return /Rank 1 .*\(process \d+\)/.test(err)
    ? undefined
    : 'the error does not name the rank and its process';
}
