/** Kills a process of a command on two ranks at some point of its life, and reports how the command ended. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { seededRandom } from '../core/random.js';
import { childPids, isRunning } from './processes.js';

const ALOFT = fileURLToPath(new URL('../../bin/aloft.js', import.meta.url));
const RUN_FLAGS =
  '--input-text Once --streaming --max-output-len 480 --ignore-eos --temperature 0 --threads 1'.split(' ');

/**
 * Points of a command's life, by what it has shown: the other rank's process, the beginning of its output, its first text, the
 * end of its text. The last command serves, and runs nothing.
 */
const STAGES = ['load', 'first step', 'in flight', 'shutdown', 'idle'] as const;
type Stage = (typeof STAGES)[number];

/** Latest kill after the beginning of a stage, ms: a part of the time that it takes on a quiet machine. */
const LATEST_MS: Readonly<Record<Stage, number>> = {
  load: 400,
  'first step': 30,
  'in flight': 1000,
  shutdown: 30,
  idle: 300,
};

interface Kill {
  readonly stage: Stage;
  readonly who: 'leader' | 'follower';
  /** From the beginning of the stage, ms. */
  readonly afterMs: number;
}

interface Ending {
  /** From the kill until no process was left, ms; of a server, until its other rank was gone and it was ready no more. */
  readonly ms: number;
  /** Exit code of the command; null when the leader was killed, and for a server. */
  readonly status: number | null;
  readonly err: string;
}

/** Kills at seeded random times, stage after stage, a quarter of them of the leader. A server without requests loses its other rank. */
export function randomKills(count: number, seed: number): Kill[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, (_, i) => {
    const stage = STAGES[i % STAGES.length]!;
    const isLeader = stage !== 'idle' && Math.floor(i / STAGES.length) % 4 === 0;
    return {
      stage,
      who: isLeader ? 'leader' : 'follower',
      afterMs: Math.round(random.next() * LATEST_MS[stage]),
    };
  });
}

/** A command that runs, and what it has printed. */
class Command {
  readonly pid: number;
  readonly closed: Promise<unknown>;
  #out = '';
  #err = '';
  readonly #process;

  constructor(words: readonly string[]) {
    this.#process = spawn(process.execPath, [ALOFT, ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#process.stdout.on('data', (chunk: Buffer) => (this.#out += chunk.toString()));
    this.#process.stderr.on('data', (chunk: Buffer) => (this.#err += chunk.toString()));
    this.closed = once(this.#process, 'close');
    this.pid = this.#process.pid!;
  }

  get out(): string {
    return this.#out;
  }

  get err(): string {
    return this.#err;
  }

  get status(): number | null {
    return this.#process.exitCode;
  }

  /** Waits until something holds, or the command has ended. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition() && isRunning(this.pid)) await pause(5);
  }
}

/** Waits for the beginning of a stage of `aloft run`. */
function reach(command: Command, stage: Exclude<Stage, 'idle'>): Promise<void> {
  switch (stage) {
    case 'load':
      return command.until(() => childPids(command.pid).length > 0);
    case 'first step':
      return command.until(() => command.out.includes('Input: '));
    case 'in flight':
      return command.until(() => /Output: "\w/.test(command.out));
    case 'shutdown':
      return command.until(() => command.err.includes('480 output tokens'));
  }
}

/**
 * Runs a command that takes a while, kills one of its processes, and waits until none is left. Nobody is killed when the
 * process has ended before.
 * @param flags of the command besides
 */
export async function killRank(
  engineDirectory: string,
  kill: Kill,
  flags: readonly string[] = [],
): Promise<Ending> {
  if (kill.stage === 'idle') return killIdle(engineDirectory, kill, flags);
  const command = new Command(['run', '--engine-dir', engineDirectory, ...RUN_FLAGS, ...flags]);
  await reach(command, kill.stage);
  await pause(kill.afterMs);
  const followers = childPids(command.pid);
  const startMs = performance.now();
  const victim = kill.who === 'leader' ? command.pid : followers[0];
  if (victim !== undefined && isRunning(victim)) process.kill(victim, 'SIGKILL');
  while ([command.pid, ...followers].some(isRunning)) await pause(5);
  const ms = performance.now() - startMs;
  await command.closed;
  return { ms, status: command.status, err: command.err };
}

/** A server that runs nothing loses its other rank. */
async function killIdle(
  engineDirectory: string,
  { afterMs }: Kill,
  flags: readonly string[],
): Promise<Ending> {
  const ports = ['--http-port', '0', '--grpc-port', '0', '--metrics-port', '0'];
  const command = new Command([
    'serve',
    '--engine-dir',
    engineDirectory,
    '--threads',
    '1',
    ...ports,
    ...flags,
  ]);
  const url = () => /Started HTTPService at (\S+)/.exec(command.out + command.err)?.[1];
  const isReady = async (): Promise<boolean> =>
    (await fetch(`http://${url()}/v2/health/ready`).catch(() => undefined))?.status === 200;
  await command.until(() => url() !== undefined);
  while (isRunning(command.pid) && !(await isReady())) await pause(20);
  await pause(afterMs);
  const [follower] = childPids(command.pid);
  const startMs = performance.now();
  if (follower !== undefined) process.kill(follower, 'SIGKILL');
  while (childPids(command.pid).length > 0 || (await isReady())) await pause(5);
  const ms = performance.now() - startMs;
  if (isRunning(command.pid)) process.kill(command.pid, 'SIGKILL');
  await command.closed;
  return { ms, status: command.status, err: command.out + command.err };
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Fault in the end of a command whose rank was killed; undefined when it is as it should be. */
export function killFault({ stage, who }: Kill, { status, err }: Ending): string | undefined {
  // A process that was killed when all was done harms nobody.
  if (status === 0)
    return err.includes('480 output tokens') ? undefined : 'it reports success without its tokens';
  if (who === 'leader') return status === null ? undefined : `a killed leader exits with ${status}`;
  if (stage !== 'idle' && status !== 1) return `it exits with ${status}`;
  // A prompt that comes after the death is refused by the engine that has stopped, which names the same cause.
  const codes = err.match(/\[(RANK_DIED|MODEL_UNAVAILABLE)\]/g)?.length ?? 0;
  if (stage !== 'idle' && codes !== 1) return `it prints ${codes} coded errors`;
  return /Rank 1 .*\(process \d+\)/.test(err)
    ? undefined
    : 'the error does not name the rank and its process';
}
