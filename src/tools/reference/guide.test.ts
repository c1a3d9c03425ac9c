/** Every example of the Node API guide runs, and prints what its comments promise. */
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildDemo, temporaryFolder } from '../cli/testing/command-line.js';

const root = new URL('../../../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), 'utf8');
const examples = [...read('docs/guide/node-api.md').matchAll(/^## (.*?)$.*?```js\n(.*?)```/gms)].map(
  ([, title, code]) => ({ title: title!, code: code! }),
);

describe('docs/guide/node-api.md', () => {
  const folder = temporaryFolder();
  beforeAll(async () => {
    await buildDemo(folder.path('engine'));
    await buildDemo(folder.path('embedder'), '--task', 'embed');
  });
  afterAll(() => folder.dispose());

  test('has an example in every section', () => {
    expect(examples.length).toBe(read('docs/guide/node-api.md').match(/^## /gm)?.length);
  });

  test.each(examples)('$title', async ({ code }) => {
    const program = folder.path('example.mjs');
    writeFileSync(program, code.replace("from 'aloft'", `from '${new URL('dist/index.js', root).href}'`));
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [program], { cwd: folder.path() });
    expect(stderr).toBe('');
    expect(stdout.trim().length).toBeGreaterThan(10);
    for (const [, promised] of code.matchAll(/console\.log\(.*\/\/ (\w+)/g))
      expect(stdout).toContain(promised);
  });
});
