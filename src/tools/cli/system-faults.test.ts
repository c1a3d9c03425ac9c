/** What the system refuses ends a command with one sentence, without a stack trace. */
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import { main, type RegisterCommand } from './main.js';

async function outcomeOf(action: () => unknown): Promise<{ status: number; lines: string }> {
  const register: RegisterCommand = (command) => void command.action(async () => void (await action()));
  const work = { name: 'work', description: '', load: () => Promise.resolve(register) };
  let lines = '';
  const err = (text: string) => void (lines += text);
  const status = await main(['work'], [work], { out() {}, err, isInteractive: false });
  return { status, lines };
}

test.each<[string, () => unknown, RegExp]>([
  [
    'a missing file',
    () => readFileSync('/none/at/all'),
    /^aloft: \/none\/at\/all is missing.* \[FILE_UNREADABLE\]\n$/,
  ],
  [
    'a directory',
    () => readFileSync(tmpdir()),
    /^aloft: .* is a directory, not a file; name the file\. \[FILE_UNREADABLE\]\n$/,
  ],
  [
    'too many open files',
    () => {
      throw Object.assign(new Error('EMFILE'), { code: 'EMFILE', syscall: 'open', path: '/a' });
    },
    /^aloft: \/a cannot be opened: the process may have no more files open \(EMFILE\).* \[TOO_MANY_FILES\]\n$/,
  ],
])('%s', async (_, action, line) => {
  expect(await outcomeOf(action)).toEqual({ status: 2, lines: expect.stringMatching(line) });
});

test('what nobody foresaw keeps its stack trace, for the report', async () => {
  const { status, lines } = await outcomeOf(() => {
    throw new TypeError('x is not a function');
  });
  expect([status, lines]).toEqual([1, expect.stringMatching(/x is not a function\n +at .*\[INTERNAL\]/s)]);
  const refused = await outcomeOf(
    () => new Promise((_, reject) => connect({ port: 1, host: '127.0.0.1' }).once('error', reject)),
  );
  expect(refused.lines).toMatch(/ECONNREFUSED/);
});
