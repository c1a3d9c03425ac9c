/** The npm package as it would be published. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Bounds of the package, a few percent above its present size: the weights of the demo model are half of it. */
const MAX_UNPACKED_BYTES = 20e6;
const MAX_FILES = 2350;

interface Packed {
  readonly unpackedSize: number;
  readonly files: readonly { readonly path: string }[];
}

const [packed] = JSON.parse(
  execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  }),
) as [Packed];
const paths = packed.files.map(({ path }) => path);

test('has what programs and pages refer to, and no tests', () => {
  for (const path of [
    'LICENSE',
    'README.md',
    'bin/aloft.js',
    'dist/index.js',
    'models/demo/model.safetensors',
  ])
    expect(paths).toContain(path);
  expect(paths.filter((path) => /\.test\.|\/testing\/|^(dist|src)\/test\//.test(path))).toEqual([]);
  expect(paths.filter((path) => /\.map$|\.bench\.|^dist\/tools\/(cuda|reference)\//.test(path))).toEqual([]);
  expect(paths.filter((path) => /^models\/demo\/(training|heldout)|\.(so|o|node)$/.test(path))).toEqual([]);
});

test('stays small', () => {
  expect(packed.unpackedSize).toBeLessThan(MAX_UNPACKED_BYTES);
  expect(paths.length).toBeLessThan(MAX_FILES);
});

test('says how faults are reported by an address exactly where it has one', () => {
  const read = (path: string) => readFileSync(`${root}${path}`, 'utf8');
  const names = JSON.parse(read('package.json')) as { repository?: unknown; bugs?: unknown };
  const hasAddress = (names.repository ?? names.bugs) !== undefined;
  const [, report] = /^## How to report\n(.*?)^## /ms.exec(read('SECURITY.md')) ?? [];
  expect(/no public address/.test(report!)).toBe(!hasAddress);
  expect(/\*Security\* tab|https:|mailto:/.test(report!)).toBe(hasAddress);
  const others = paths.filter((path) => /^docs\/guide\/.*\.md$|^(README|CONTRIBUTING)\.md$/.test(path));
  expect(others.filter((path) => /public address/.test(read(path)))).toEqual([]);
});

test('has every file that the README links to', () => {
  const targets = Array.from(
    readFileSync(`${root}README.md`, 'utf8').matchAll(/\]\(([^)#:]+)\)/g),
    ([, link]) => link!,
  );
  expect(targets.length).toBeGreaterThan(10);
  const isThere = (target: string) => paths.some((path) => path === target || path.startsWith(`${target}/`));
  expect(targets.filter((target) => !isThere(target))).toEqual([]);
});
