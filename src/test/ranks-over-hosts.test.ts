/** Ranks on two hosts: what holds on one, and what ends the group. */
import { execFile, execFileSync } from 'node:child_process';
import { promisify } from 'node:util';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { buildTemporaryEngine, DEMO_MODEL, type TemporaryEngine } from './build-and-open.js';
import { aloftOnHosts, HOSTS_NEED, type HostsJob, HostsJob as Job, hasTwoHosts } from './two-hosts.js';

const VITEST = fileURLToPath(new URL('../../node_modules/vitest/vitest.mjs', import.meta.url));
const CONFIG = fileURLToPath(new URL('../../vitest.hosts.config.mjs', import.meta.url));
const FOLLOWER = fileURLToPath(new URL('./hosts/follow-hosts.js', import.meta.url));
const HOSTS = ['10.77.0.1', '10.77.0.2'] as const;

const engines: TemporaryEngine[] = [];
afterAll(() => engines.forEach((engine) => engine.dispose()));

async function demoEngine(rankCount: number): Promise<string> {
  const sizes = { max_batch_size: '4', max_input_len: '64', max_output_len: '512' };
  const count = String(rankCount);
  const engine = await buildTemporaryEngine({
    model_dir: DEMO_MODEL,
    ...sizes,
    tp_size: count,
    world_size: count,
  });
  engines.push(engine);
  return engine.directory;
}

const greedy = (directory: string, count: number): string[] => [
  ...['run', '--engine-dir', directory, '--input-text', 'Once', '--max-output-len', `${count}`],
  ...['--ignore-eos', '--temperature', '0', '--threads', '1'],
];

const linesOf = (text: string): string[] => text.split('\n').filter((line) => line.startsWith('aloft: '));

describe.skipIf(!hasTwoHosts())(`two hosts ${HOSTS_NEED}`, () => {
  test('give the text of one rank on two and four ranks, printed once', async () => {
    const texts: (string | undefined)[] = [];
    for (const rankCount of [1, 2, 4]) {
      const argv = [...greedy(await demoEngine(rankCount), 24), '--no-streaming'];
      const { status, out, err } = await aloftOnHosts(rankCount, ...argv).ended;
      expect(status, err).toBe(0);
      texts.push(...out.match(/^Output: .*$/gm)!);
    }
    expect(texts).toHaveLength(3);
    expect(new Set(texts).size).toBe(1);
  });

  test('pass the suites of collectives and of executors', async () => {
    const rank = [process.execPath, FOLLOWER];
    const suite = [process.execPath, VITEST, 'run', '--config', CONFIG];
    const { status, out, err } = await new Job([
      ...['--host', `${HOSTS[0]}:8`, '-n', '1', ...suite, ':', '--host', `${HOSTS[0]}:8`, '-n', '1', ...rank],
      ...[':', '--host', `${HOSTS[1]}:8`, '-n', '2', ...rank],
    ]).ended;
    expect(status, `${out}\n${err}`).toBe(0);
    expect(out).toMatch(/Tests +\d\d passed \(/);
  });

  test('refuse another number of ranks than the engine has, once', async () => {
    const { status, err } = await aloftOnHosts(2, ...greedy(await demoEngine(4), 1)).ended;
    expect([status, linesOf(err).map((line) => /\[\w+\]$/.exec(line)?.[0])]).toEqual([
      2,
      ['[WORLD_SIZE_MISMATCH]'],
    ]);
  });

  describe('end with one coded error', () => {
    /** Does something to a command in the middle of its answer. @returns its errors */
    async function errorsAfter(action: (job: HostsJob) => void): Promise<string[]> {
      const job = aloftOnHosts(2, ...greedy(await demoEngine(2), 480), '--streaming');
      await job.printed('little town');
      action(job);
      await expect.poll(() => job.processes()).toEqual([]);
      await Promise.race([job.ended, expect.poll(() => linesOf(job.err)).not.toEqual([])]);
      job.end();
      return linesOf((await job.ended).err);
    }
    const find = (job: HostsJob, rank: number, isBridge: boolean): number =>
      job.processes().find((one) => one.rank === rank && one.isBridge === isBridge)!.pid;

    test('when a rank of the other host is killed', async () => {
      expect(await errorsAfter((job) => process.kill(find(job, 1, false), 'SIGKILL'))).toEqual([
        expect.stringMatching(/^aloft: Rank 1 of 2 \(process \d+ on host-b\) has ended.* \[RANK_DIED\]$/),
      ]);
    });

    test('when a rank of the other host is stopped', async () => {
      expect(await errorsAfter((job) => process.kill(find(job, 1, false), 'SIGSTOP'))).toEqual([
        expect.stringMatching(/^aloft: Rank 1 of 2 \(process \d+ on host-b\) is stopped.* \[RANK_LATE\]$/),
      ]);
    });

    test.each([0, 1])('when the process that connects the host of rank %i is killed', async (rank) => {
      expect(await errorsAfter((job) => process.kill(find(job, rank, true), 'SIGKILL'))).toEqual([
        expect.stringMatching(/^aloft: Rank 1 of 2 \(process \d+ on host-b\).* \[RANK_(DIED|LATE)\]$/),
      ]);
    });

    test('when the hosts do not reach each other any more', async () => {
      const cut = (job: HostsJob) =>
        execFileSync('nsenter', [
          '-t',
          `${find(job, 1, false)}`,
          '-n',
          'ip',
          'link',
          'set',
          'link-b',
          'down',
        ]);
      expect(await errorsAfter(cut)).toEqual([
        expect.stringMatching(/^aloft: Rank 1 of 2 \(process \d+ on host-b\).* \[RANK_LATE\]$/),
      ]);
    });
  });

  test('serve, and fail open requests with the code of a rank that is killed', async () => {
    const directory = await demoEngine(2);
    const ports = ['--http-port', '18000', '--grpc-port', '18001', '--metrics-port', '18002']; // of a network of its own
    const job = aloftOnHosts(2, 'serve', '--engine-dir', directory, '--threads', '1', ...ports);
    await job.printed('Ready: model');
    const pidOf = (rank: number) => job.processes().find((one) => one.rank === rank && !one.isBridge)!.pid;
    const onHostA = async (request: string): Promise<string> => {
      const print = `fetch(${request}).then(async (r) => console.log(r.status, await r.text()))`;
      const words = ['-t', `${pidOf(0)}`, '-n', process.execPath, '-e', print];
      return (await promisify(execFile)('nsenter', words)).stdout;
    };
    const generate = (members: object): Promise<string> => {
      const body = JSON.stringify(JSON.stringify({ text_input: 'Once', top_k: 1, ...members }));
      const url = 'http://127.0.0.1:18000/v2/models/ensemble/generate';
      return onHostA(`'${url}', { method: 'POST', body: ${body} }`);
    };
    const metrics = () => onHostA("'http://127.0.0.1:18002/metrics'");
    expect(await generate({ max_tokens: 12 })).toMatch(/^200 .*Once upon a time, in a little town/);
    const open = generate({ max_tokens: 480, end_id: -1 });
    await expect.poll(metrics).toMatch(/^aloft_running_requests\{.*\} 1$/m);
    process.kill(pidOf(1), 'SIGKILL');
    expect(await open).toMatch(/^503 .*Rank 1 of 2 \(process \d+ on host-b\) has ended/);
    await expect.poll(() => job.processes()).toEqual([]);
    expect((await job.ended).err).toMatch(/has stopped \(RANK_DIED\): Rank 1 of 2/);
  });

  test('are left by all processes when rank 0 is killed', async () => {
    const job = aloftOnHosts(2, ...greedy(await demoEngine(2), 480), '--streaming');
    await job.printed('little town');
    process.kill(job.processes().find((one) => one.rank === 0 && !one.isBridge)!.pid, 'SIGKILL');
    await expect.poll(() => job.processes()).toEqual([]);
    expect((await job.ended).status).not.toBe(0);
  });
});
