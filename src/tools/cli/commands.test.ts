import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { COMMANDS } from './commands.js';
import { aloft } from './testing/command-line.js';
import { loadedWith } from './testing/loaded-with.js';

test('help, versions and typing mistakes load the command line and nothing else', () => {
  const folder = dirname(fileURLToPath(import.meta.url));
  const loaded = [...['main.js', 'commands.js'].map((file) => loadedWith(join(folder, file)))].flatMap(
    (set) => [...set],
  );
  const files = new Set(loaded.filter((name) => name.startsWith('/')));
  expect(loaded.filter((name) => !/^\/|^node:/.test(name))).toEqual(['commander']);
  expect(files.size).toBeGreaterThan(5);
  expect(files.size).toBeLessThanOrEqual(20);
});

test('the program lists every command by its name and meaning', async () => {
  const { status, out } = await aloft('--help');
  expect(status).toBe(0);
  const words = out.replaceAll(/\s+/g, ' ');
  for (const { name, description } of COMMANDS) expect(words).toContain(` ${name} ${description}`);
  expect(out).not.toContain('inflight_batcher_llm_client');
});

test.each(COMMANDS.map(({ name }) => [name]))('the help of %s lists flags or commands', async (name) => {
  const { status, out } = await aloft(name, '--help');
  expect(status).toBe(0);
  expect(out).toMatch(/Options:[^]*--help|Commands:/);
});
