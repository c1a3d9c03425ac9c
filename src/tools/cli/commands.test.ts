import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { COMMANDS } from './commands.js';
import { aloft } from './testing/command-line.js';

const STATIC_IMPORT = /^(?:import|export)\s[^;]*?from\s*'([^']+)';/gm;

/** All that is loaded with a compiled file: files of ours, and packages. */
function loadedWith(path: string, loaded = new Set<string>()): Set<string> {
  if (loaded.has(path)) return loaded;
  loaded.add(path);
  for (const [, target = ''] of readFileSync(path, 'utf8').matchAll(STATIC_IMPORT)) {
    if (target.startsWith('.')) loadedWith(join(dirname(path), target), loaded);
    else if (!target.startsWith('node:')) loaded.add(target);
  }
  return loaded;
}

test('help, versions and typing mistakes load the command line and nothing else', () => {
  const folder = dirname(fileURLToPath(import.meta.url));
  const loaded = [...['main.js', 'commands.js'].map((file) => loadedWith(join(folder, file)))].flatMap(
    (set) => [...set],
  );
  const files = new Set(loaded.filter((name) => name.startsWith('/')));
  expect(loaded.filter((name) => !name.startsWith('/'))).toEqual(['commander']);
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
