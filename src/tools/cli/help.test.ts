/** Help as people read it: groups, examples, width, search and colours. */
import { expect, test } from 'vitest';
import type { Command } from 'commander';
import { BUILD_FLAGS } from '../../builder/build-flags.js';
import { BUILD_GROUPS } from './build-options.js';
import { COMMANDS } from './commands.js';
import { EXAMPLES } from './examples.js';
import { createProgram, main } from './main.js';
import { normaliseFlags } from './flags.js';
import { wantsColours } from './terminal.js';
import { aloft } from './testing/command-line.js';

const NOWHERE = { out: () => {}, err: () => {}, isInteractive: false };
const program = await createProgram(COMMANDS, NOWHERE, { isWanted: () => true });

/** Commands that do something, by their path. */
function runnable(command: Command, path: readonly string[]): [string, Command][] {
  const below = command.commands.flatMap((child) => runnable(child, [...path, child.name()]));
  const isOnlyParent = ['', 'repo', 'engine'].includes(path.join(' '));
  return isOnlyParent ? below : [[path.join(' '), command], ...below];
}
const RUNNABLE = runnable(program, []);

test.each(RUNNABLE)('%s has two examples at least, whose flags exist', (path, command) => {
  const examples = EXAMPLES[path] ?? [];
  expect(examples.length).toBeGreaterThanOrEqual(2);
  const known = new Set(command.options.flatMap(({ long, short }) => [long, short]));
  for (const example of examples) {
    expect(example).toContain(`aloft ${path}`);
    const own = example.slice(example.indexOf(`aloft ${path}`)).split(' ');
    for (const flag of normaliseFlags(own).filter((word) => /^--?[a-z]/i.test(word)))
      expect([...known], `${flag} in '${example}'`).toContain(flag.split('=')[0]);
  }
});

test('every example belongs to a command', () => {
  const paths = new Set(['', ...RUNNABLE.map(([path]) => path)]);
  expect(Object.keys(EXAMPLES).filter((path) => !paths.has(path))).toEqual([]);
});

test.each(['build', 'run', 'serve', 'bench', 'client'])('help of %s groups its flags', async (name) => {
  const { out } = await aloft(name, '--help');
  expect(out.match(/^\S.*:$/gm)!.length).toBeGreaterThanOrEqual(5);
  expect(out).toMatch(/^Examples:$/m);
});

test('each flag of a build that does something has one group', () => {
  const grouped = Object.values(BUILD_GROUPS).flat();
  const names = BUILD_FLAGS.filter(({ support }) => support === 'yes').map(({ name }) => name);
  expect(grouped.toSorted()).toEqual(names.toSorted());
});

test.each(RUNNABLE.map(([path]) => [path]))(
  'help of %s breaks lines between words at 80 columns',
  async (path) => {
    const { out } = await aloft(...path.split(' '), '--help');
    const [help] = out.split('\nExamples:');
    // A single long word, such as an address, cannot be broken.
    for (const line of help!.split('\n').filter((one) => !one.startsWith('Usage:') && /\S\s/.test(one)))
      expect(line.length, line).toBeLessThanOrEqual(80);
  },
);

test('--help=word shows the flags that have the word', async () => {
  const { out, status } = await aloft('run', '--help=KV_cache');
  expect(status).toBe(0);
  expect(out).toContain('--kv-cache-free-mem-fraction');
  expect(out).not.toContain('--temperature');
});

test.each([
  ['run', '--help=nothing-of-the-kind'],
  ['repo', '--help=nothing-of-the-kind'],
])('%s %s says that no flag has the word', async (...argv) => {
  const { out, status } = await aloft(...argv);
  expect(status).toBe(0);
  expect(out).toMatch(/^No flag has 'nothing-of-the-kind' in its name or meaning\.$/m);
});

test('every command stands under a heading of its own, and a default is said once', async () => {
  const { out } = await aloft('--help');
  expect(/\nCommands:\n((?: .+\n)+)/.exec(out)![1]).toMatch(/^  help .*\n$/);
  for (const [path] of RUNNABLE) {
    const help = (await aloft(...path.split(' '), '--help')).out.replaceAll(/\s+/g, ' ');
    expect(help, path).not.toMatch(/\(default: [^)]*\) \(default: /);
  }
});

test('help and no command at all show the examples, as --help does', async () => {
  const { out } = await aloft('--help');
  expect((await aloft('help')).out).toBe(out);
  expect((await aloft()).err).toBe(out);
});

test('colours are there on request only', async () => {
  let out = '';
  const terminal = { ...NOWHERE, out: (text: string) => void (out += text), outColours: true };
  const ESCAPE = String.fromCodePoint(27);
  await main(['run', '--help'], COMMANDS, terminal);
  expect(out).toContain(`${ESCAPE}[`);
  expect((await aloft('run', '--help')).out).not.toContain(ESCAPE);
});

test.each([
  [true, {}, true],
  [false, {}, false],
  [true, { NO_COLOR: '1' }, false],
  [true, { NO_COLOR: '' }, true],
  [false, { FORCE_COLOR: '1' }, true],
  [true, { FORCE_COLOR: '0' }, false],
  [true, { NO_COLOR: '1', FORCE_COLOR: '1' }, false],
  [true, { TERM: 'dumb' }, false],
])('a stream that is a terminal: %s, with %j: %s', (isTTY, environment, expected) => {
  expect(wantsColours({ isTTY }, environment)).toBe(expected);
});
