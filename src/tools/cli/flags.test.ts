import { describe, expect, test } from 'vitest';
import { normaliseFlags, oneOf, realNumber, wholeNumber } from './flags.js';
import { type CommandEntry, main, type RegisterCommand } from './main.js';
import { formatBytes, formatTable } from './terminal.js';

test('both spellings of a flag mean the same, values are left alone', () => {
  expect(normaliseFlags(['build', '--use_weight_only', '--model_dir=a_b', 'x_y', '--', '--as_is'])).toEqual([
    'build',
    '--use-weight-only',
    '--model-dir=a_b',
    'x_y',
    '--',
    '--as_is',
  ]);
});

describe('values', () => {
  test.each(['', 'x', '1.5', '0', '9'])('whole number from 1 to 8: %j is refused', (text) => {
    expect(() => wholeNumber(1, 8)(text)).toThrow(/whole number from 1 to 8/);
  });
  test('real numbers and choices', () => {
    expect(realNumber(0, 1)('0.25')).toBe(0.25);
    expect(() => realNumber(0, 1)('2')).toThrow(/from 0 to 1/);
    expect(() => oneOf(['a', 'b'])('c')).toThrow(/a, b/);
  });
});

describe('main', () => {
  const greet: RegisterCommand = (command, terminal) =>
    void command
      .option('--max-count <n>', 'how often', wholeNumber(1), 1)
      .action(({ maxCount }: { maxCount: number }) => terminal.out('hello '.repeat(maxCount)));
  const fail: RegisterCommand = (command) =>
    void command.action(() => {
      throw new TypeError('boom');
    });
  const commands: readonly CommandEntry[] = Object.entries({ greet, fail }).map(([name, register]) => ({
    name,
    description: '',
    load: () => Promise.resolve(register),
  }));
  const run = async (...argv: string[]) => {
    let out = '';
    let err = '';
    const terminal = {
      out: (text: string) => void (out += text),
      err: (text: string) => void (err += text),
      isInteractive: false,
    };
    const status = await main(argv, commands, terminal);
    return { status, out, err };
  };

  test('a command runs', async () => {
    expect(await run('greet', '--max_count', '2')).toEqual({ status: 0, out: 'hello hello ', err: '' });
  });
  test('an unknown flag is one sentence with a suggestion and status 2', async () => {
    const { status, err } = await run('greet', '--max-cuont', '2');
    expect(status).toBe(2);
    expect(err).toBe(
      "aloft: unknown option '--max-cuont' (Did you mean --max-count?) See 'aloft greet --help'. [USAGE]\n",
    );
  });
  test.each([
    [['greet', '--max-count', '0'], /whole number of at least 1/],
    [['greet', '--max-count'], /option '--max-count <n>' argument missing/],
    [['gret'], /unknown command 'gret' \(Did you mean greet\?\)/],
  ])('%j is a usage error of one line', async (argv, message) => {
    const { status, err } = await run(...argv);
    expect(status).toBe(2);
    expect(err).toMatch(message);
    expect(err.trim().split('\n')).toHaveLength(1);
  });
  test('a fault of our own is status 1', async () => {
    expect((await run('fail')).status).toBe(1);
  });
  test('help goes to standard output', async () => {
    expect((await run('--help')).out).toContain('greet');
    expect((await run('greet', '--help')).out).toContain('--max-count');
  });
});

test('bytes and tables', () => {
  expect([512, 2048, 13.5e9].map(formatBytes)).toEqual(['512 B', '2.00 KiB', '12.6 GiB']);
  expect(
    formatTable([
      ['weights', 12],
      ['kv', 3456],
    ]),
  ).toBe('weights    12\nkv       3456');
});
