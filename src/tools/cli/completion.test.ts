import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { aloft, temporaryFolder } from './testing/command-line.js';

const folder = temporaryFolder();
afterAll(() => folder.dispose());

/** Words that bash offers for the last word of a line. */
async function offered(...words: readonly string[]): Promise<string[]> {
  const { out } = await aloft('completion', 'bash');
  writeFileSync(folder.path('completion.bash'), out);
  const script = `source "$0"; COMP_WORDS=(aloft "$@"); COMP_CWORD=$#; _aloft; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const bash = execFileSync('bash', ['-c', script, folder.path('completion.bash'), ...words], {
    encoding: 'utf8',
    cwd: folder.path(),
  });
  return bash.split('\n').filter((word) => word !== '');
}

describe('bash', () => {
  test.each([
    [['pl'], ['plan-memory']],
    [['bench', 'se'], ['serve']],
    [
      ['bench', 'serve', '--slo'],
      ['--slo-ttft-ms', '--slo-tpot-ms'],
    ],
    [['bench', '--slo'], []],
    [['run', '--log-level', 'w'], ['warning']],
    [
      ['run', './engine', '--stream'],
      ['--streaming', '--streaming-interval'],
    ],
    [
      ['completion', ''],
      ['bash', 'zsh', 'fish', '--help', '-h'],
    ],
    [['engine', 's'], ['show']],
    [['run', '--engine-dir', 'comp'], []],
    [['run', '--input-file', 'comp'], ['completion.bash']],
  ])('%j: %j', async (words, expected) => {
    expect((await offered(...words)).toSorted()).toEqual(expected.toSorted());
  });
});

/** Whether a shell is here to judge its script. */
function has(shell: string): boolean {
  try {
    execFileSync(shell, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

test.each(['bash', 'zsh', 'fish'])('the script of %s has every command and its flags', async (shell) => {
  const { status, out } = await aloft('completion', shell);
  expect(status).toBe(0);
  for (const name of ['plan-memory', 'chat', 'completion']) expect(out).toContain(name);
  expect(out).toContain(shell === 'fish' ? '-l kv-cache-free-mem-fraction' : '--kv-cache-free-mem-fraction');
});

for (const shell of ['zsh', 'fish']) {
  test.skipIf(!has(shell))(
    `${shell} finds no fault in its script [needs ${shell}: apt-get install ${shell}]`,
    async () => {
      const file = folder.path(`completion.${shell}`);
      writeFileSync(file, (await aloft('completion', shell)).out);
      execFileSync(shell, ['-n', file]);
    },
  );
}

test('a shell that is unknown is refused with those that are known', async () => {
  const { status, err } = await aloft('completion', 'tcsh');
  expect(status).toBe(2);
  expect(err).toMatch(/Allowed choices are bash, zsh, fish/);
});
