import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { removeUnreachedDeclarations } from './declarations.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'aloft-declarations-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const declarations = () =>
  readdirSync(join(folder, 'dist'), { recursive: true }).filter((name) => name.endsWith('.d.ts'));

test('those stay that the entries of the package and their imports read', () => {
  cpSync(join(root, 'dist'), join(folder, 'dist'), {
    recursive: true,
    filter: (path) => !/\.\w+$/.test(path) || path.endsWith('.d.ts'),
  });
  const before = declarations().length;
  removeUnreachedDeclarations(folder, JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).exports);
  const left = declarations();
  expect(left).toEqual(expect.arrayContaining(['index.d.ts', 'client/index.d.ts', 'llm/llm.d.ts']));
  expect(left).not.toContain('tools/cli/main.d.ts');
  expect(left.length).toBeLessThan(before / 5);
});
