/** Ranks that a launcher starts, on this host. mpirun needs Debian's openmpi-bin, which `.ci/run` installs. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { buildTemporaryEngine, DEMO_MODEL, type TemporaryEngine } from './build-and-open.js';

const ALOFT = fileURLToPath(new URL('../../bin/aloft.js', import.meta.url));
const MPIRUN = '/usr/bin/mpirun';
const SIZES = { max_batch_size: '4', max_input_len: '64', max_output_len: '64' };

const engines: TemporaryEngine[] = [];
afterAll(() => engines.forEach((engine) => engine.dispose()));

async function demoEngine(rankCount: number): Promise<string> {
  const count = String(rankCount);
  const engine = await buildTemporaryEngine({
    model_dir: DEMO_MODEL,
    ...SIZES,
    tp_size: count,
    world_size: count,
  });
  engines.push(engine);
  return engine.directory;
}

interface Ended {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

function run(command: string, argv: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(command, argv, { env: { ...process.env, ...env } }, (error, out, err) =>
      resolve({ status: error === null ? 0 : Number(error.code), out, err }),
    );
  });
}

const mpirun = (rankCount: number, ...argv: string[]): Promise<Ended> =>
  run(MPIRUN, [
    '--allow-run-as-root',
    '--oversubscribe',
    '-n',
    `${rankCount}`,
    process.execPath,
    ALOFT,
    ...argv,
  ]);

const greedy = (directory: string): string[] => [
  ...['run', '--engine-dir', directory, '--input-text', 'Once upon a time', '--max-output-len', '24'],
  ...['--temperature', '0', '--no-streaming', '--threads', '1'],
];

const textOf = ({ out }: Ended) => out.match(/^Output: (.*)$/gm);

describe.skipIf(!existsSync(MPIRUN))('mpirun', () => {
  test('starts two and four ranks, which give the text of one, printed once', async () => {
    const expected = textOf(await run(process.execPath, [ALOFT, ...greedy(await demoEngine(1))]));
    expect(expected).toHaveLength(1);
    for (const rankCount of [2, 4]) {
      const ended = await mpirun(rankCount, ...greedy(await demoEngine(rankCount)));
      expect([ended.status, textOf(ended)]).toEqual([0, expected]);
    }
  });

  test('with another number of ranks than the engine has is refused once', async () => {
    const { status, err } = await mpirun(2, ...greedy(await demoEngine(1)));
    expect([status, err.match(/\[WORLD_SIZE_MISMATCH\]/g)?.length]).toEqual([2, 1]);
  });

  test('also takes each rank as a program of its own', async () => {
    const program = ['-n', '1', process.execPath, ALOFT, ...greedy(await demoEngine(2))];
    const words = ['--allow-run-as-root', '--oversubscribe', ...program, ':', ...program];
    const { status, ...printed } = await run(MPIRUN, words);
    expect([status, textOf({ status, ...printed })?.length]).toEqual([0, 1]);
  });

  test('runs a command that loads no engine once', async () => {
    const { status, out } = await mpirun(2, '--version');
    expect([status, out.trim().split('\n').length]).toEqual([0, 1]);
  });
});

describe.each([
  [
    'torchrun',
    (rank: number, job: string) => ({
      RANK: `${rank}`,
      WORLD_SIZE: '2',
      LOCAL_WORLD_SIZE: '2',
      MASTER_ADDR: '127.0.0.1',
      MASTER_PORT: job,
    }),
  ],
  [
    'srun',
    (rank: number, job: string) => ({
      SLURM_PROCID: `${rank}`,
      SLURM_STEP_NUM_TASKS: '2',
      SLURM_STEP_NUM_NODES: '1',
      SLURM_JOB_ID: job,
      SLURM_STEP_ID: '0',
    }),
  ],
])('variables of %s', (_, variables) => {
  const start = (rank: number, argv: readonly string[]) =>
    run(process.execPath, [ALOFT, ...argv], variables(rank, `${process.pid}`));

  test('make processes ranks of one job', async () => {
    const argv = greedy(await demoEngine(2));
    // The other rank comes first: it waits for rank 0.
    const [second, first] = await Promise.all([start(1, argv), start(0, argv)]);
    expect([first.status, textOf(first)?.length, second.status, second.out]).toEqual([0, 1, 0, '']);
  });
});
