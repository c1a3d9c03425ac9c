/** Standard streams whose reader goes away, and processes that may open few files: neither ends in a stack trace. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const MAIN = new URL('./main.js', import.meta.url).href;
const ALOFT = fileURLToPath(new URL('../../../bin/aloft.js', import.meta.url));

/** Writes to a stream until its reader is gone, and goes on; the other stream and the status show how it ended. */
const program = (broken: 'out' | 'err', other: 'out' | 'err') => `
import { main } from '${MAIN}';
const load = async () => (command, terminal) => command.action(async () => {
  for (let i = 0; i < 100; i++) {
    terminal.${broken}('line '.repeat(1000) + '\\n');
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  terminal.${other}('worked on');
});
process.exitCode = await main(['work'], [{ name: 'work', description: 'works', load }]);
`;

test.each([
  ['err', 'out'],
  ['out', 'err'],
] as const)('the work goes on when nobody reads std%s', async (broken, other) => {
  const child = spawn(process.execPath, ['--input-type=module', '-e', program(broken, other)]);
  const [gone, read] = broken === 'err' ? [child.stderr, child.stdout] : [child.stdout, child.stderr];
  gone.once('data', () => gone.destroy());
  let text = '';
  read.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const status = await new Promise((resolve) => child.once('close', resolve));
  expect([status, text]).toEqual([0, 'worked on']);
});

test.skipIf(!existsSync('/dev/full'))(
  'results that a full disk does not take are a failure [needs /dev/full]',
  () => {
    const run = (arguments_: string) =>
      spawnSync('sh', ['-c', `"$0" "$1" ${arguments_}`, process.execPath, ALOFT], { encoding: 'utf8' });
    expect(run('devices > /dev/full')).toMatchObject({
      status: 2,
      stderr:
        'aloft: The standard output cannot be written, because the disk is full; free space, or name another place. [OUTPUT_FAILED]\n',
    });
    expect(run('devices > /dev/null')).toMatchObject({ status: 0, stderr: '' });
  },
);

test.each([30, 100, 255])('a process that may open %i files says so in one sentence', (count) => {
  const line = `ulimit -n ${count} && exec "$0" "$1" devices`;
  const { stderr, status } = spawnSync('sh', ['-c', line, process.execPath, ALOFT], { encoding: 'utf8' });
  expect(stderr).toBe(
    `aloft: The process may have only ${count} files open, and needs 256 to start; raise the limit with 'ulimit -n 4096'. [TOO_MANY_FILES]\n`,
  );
  expect(status).toBe(2);
});

test('256 files are enough to start a server', () => {
  const line =
    'ulimit -n 256 && exec "$0" "$1" serve --model-repo /none --http-port 0 --grpc-port 0 --metrics-port 0';
  const { stderr, status } = spawnSync('sh', ['-c', line, process.execPath, ALOFT], { encoding: 'utf8' });
  expect(stderr).toMatch(/There is no model repository at '\/none'/);
  expect(status).toBe(2);
});
