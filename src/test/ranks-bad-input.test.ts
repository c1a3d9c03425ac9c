/** What users of ranks get wrong: one sentence each, printed by one process. */
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, expect, test } from 'vitest';
import { buildTemporaryEngine, DEMO_MODEL, type TemporaryEngine } from './build-and-open.js';
import { temporaryRoot } from './command-line.js';

const ALOFT = fileURLToPath(new URL('../../bin/aloft.js', import.meta.url));
const root = temporaryRoot();

const engines: TemporaryEngine[] = [];
const started: ChildProcess[] = [];
afterEach(() => started.splice(0).forEach((one) => one.kill('SIGKILL')));
afterAll(() => engines.forEach((engine) => engine.dispose()));

interface Ended {
  readonly status: number;
  readonly err: readonly string[];
}

const aloft = (argv: readonly string[], env?: NodeJS.ProcessEnv): Promise<Ended> =>
  run([process.execPath, ALOFT, ...argv], env);

function run([program, ...words]: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(program!, words, { env: { ...process.env, ...env } }, (error, _, err) =>
      resolve({
        status: error === null ? 0 : Number(error.code),
        err: err.split('\n').filter((line) => line !== '' && !line.startsWith('[Aloft] [I]')),
      }),
    );
  });
}

const jobOf = (rank: number, job: string): NodeJS.ProcessEnv => ({
  RANK: `${rank}`,
  WORLD_SIZE: '2',
  MASTER_ADDR: `${process.pid}`,
  MASTER_PORT: job,
});

test('another number of ranks than the engine has', async () => {
  const build = { model_dir: DEMO_MODEL, max_batch_size: '2', tp_size: '2', world_size: '2' };
  const engine = await buildTemporaryEngine(build);
  engines.push(engine);
  const { status, err } = await aloft([
    'run',
    '--engine_dir',
    engine.directory,
    '--input_text',
    'a',
    '--world_size',
    '4',
  ]);
  expect([status, err.length]).toEqual([2, 1]);
  expect(err[0]).toMatch(/built for 2 ranks, 4 were started.*\[WORLD_SIZE_MISMATCH\]$/);
});

test('a number of ranks that does not divide the heads: the numbers that do', async () => {
  const argv = [
    'build',
    '--model_dir',
    DEMO_MODEL,
    '--output_dir',
    root('engine'),
    '--device',
    'cpu',
    '--tp_size',
    '3',
  ];
  const { status, err } = await aloft([...argv, '--world_size', '3']);
  expect([status, err.length]).toEqual([2, 1]);
  expect(err[0]).toMatch(
    /--tp_size 3 does not divide the 8 attention heads.*: 1, 2, 4, 8\. \[SHARDING_IMPOSSIBLE\]$/,
  );
});

test('a name of a job that another rank 0 has taken', async () => {
  const env = { ...process.env, ...jobOf(0, 'taken') };
  const first = spawn(process.execPath, [ALOFT, '--version'], { env, stdio: ['ignore', 'pipe', 'ignore'] });
  started.push(first);
  await once(first.stdout, 'data'); // it waits for its rank 1 now
  const { status, err } = await aloft(['--version'], jobOf(0, 'taken'));
  expect([status, err.length]).toEqual([2, 1]);
  expect(err[0]).toMatch(/^aloft: Another process is rank 0 of this job already.*\[ADDRESS_IN_USE\]$/);
});

test("a launcher's variables that contradict each other", async () => {
  const { status, err } = await aloft(['--version'], { ...jobOf(0, 'odd'), RANK: '2' });
  expect([status, err.length]).toEqual([2, 1]);
  expect(err[0]).toMatch(/RANK to 2 and WORLD_SIZE to 2.*\[USAGE\]$/);
});

const ON_TWO_HOSTS: NodeJS.ProcessEnv = {
  PMIX_NAMESPACE: `${process.pid}`,
  OMPI_COMM_WORLD_SIZE: '2',
  OMPI_COMM_WORLD_RANK: '0',
  OMPI_COMM_WORLD_LOCAL_SIZE: '1',
  OMPI_COMM_WORLD_LOCAL_RANK: '0',
};
const MPI_LIBRARY = ['x86_64', 'aarch64']
  .map((name) => `/usr/lib/${name}-linux-gnu/libmpi.so.40`)
  .find((path) => existsSync(path));

test.skipIf(MPI_LIBRARY === undefined)(
  "several hosts without mpirun's connections [needs Open MPI: apt-get install openmpi-bin]",
  async () => {
    const { status, err } = await aloft(['--version'], ON_TWO_HOSTS);
    expect([status, err.length]).toEqual([2, 1]);
    expect(err[0]).toMatch(/^aloft: Open MPI connects 1 processes, and the job has 2;.*\[UNSUPPORTED\]$/);
  },
);

/** Words before a command that hide the library from it, where there is one. */
const WITHOUT_MPI =
  MPI_LIBRARY === undefined
    ? []
    : [
        'unshare',
        '--mount',
        'sh',
        '-c',
        `mount --bind /dev/null ${realpathSync(MPI_LIBRARY)} && exec "$@"`,
        'sh',
      ];
const canHide =
  WITHOUT_MPI.length === 0 || spawnSync('unshare', [...WITHOUT_MPI.slice(1), 'true']).status === 0;

test.skipIf(!canHide)('several hosts without Open MPI [needs mount namespaces: run as root]', async () => {
  const { status, err } = await run([...WITHOUT_MPI, process.execPath, ALOFT, '--version'], ON_TWO_HOSTS);
  expect([status, err.length]).toEqual([2, 1]);
  expect(err[0]).toMatch(
    /^aloft: Ranks on several hosts need Open MPI on each, .* no libmpi\.so\.40; install it.*\[DEVICE_UNAVAILABLE\]$/,
  );
});
