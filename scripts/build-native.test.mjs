/** The install script of a package, beside prebuilt kernels and without. */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { librarySources, sourceHash } from './native-library.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'aloft-install-'));
const installed = join(folder, 'node_modules/aloft');
const prebuilt = join(folder, `node_modules/aloft-cpu-${process.platform}-${process.arch}-gnu`);

beforeAll(() => {
  for (const name of ['build-native.mjs', 'native-library.mjs'])
    cpSync(join(root, 'scripts', name), join(installed, 'scripts', name));
  cpSync(join(root, 'dist/ffi/kernel-library-path.js'), join(installed, 'dist/ffi/kernel-library-path.js'));
  writeFileSync(join(installed, 'package.json'), '{"name":"aloft","type":"module"}');
  cpSync(join(root, 'src'), join(installed, 'src'), {
    recursive: true,
    filter: (path) => !/\.\w+$/.test(path) || /\.(cpp|h)$/.test(path),
  });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function writePrebuilt(sources) {
  mkdirSync(prebuilt, { recursive: true });
  writeFileSync(join(prebuilt, 'package.json'), JSON.stringify({ name: 'kernels', aloft: { sources } }));
  writeFileSync(join(prebuilt, 'libaloft-cpu.so'), '');
}

/** Runs the script where no compiler is. */
function install() {
  const { status, stderr } = spawnSync(process.execPath, [join(installed, 'scripts/build-native.mjs')], {
    encoding: 'utf8',
    env: { ...process.env, CXX: join(folder, 'no-compiler') },
  });
  return { status, stderr };
}

test('kernels of the same sources are taken as they are, and found when a program runs', async () => {
  writePrebuilt(sourceHash());
  expect(install()).toEqual({ status: 0, stderr: '' });
  expect(existsSync(join(installed, 'dist/native'))).toBe(false);
  const { kernelLibraryPath } = await import(
    pathToFileURL(join(installed, 'dist/ffi/kernel-library-path.js')).href
  );
  expect(kernelLibraryPath()).toBe(join(prebuilt, 'libaloft-cpu.so'));
});

test('a package has all sources that the hash reads, or its prebuilt kernels would be refused', () => {
  const words = ['pack', '--dry-run', '--json', '--ignore-scripts'];
  const [{ files }] = JSON.parse(spawnSync('npm', words, { cwd: root, encoding: 'utf8' }).stdout);
  const packed = new Set(files.map(({ path }) => path));
  expect(librarySources().length).toBeGreaterThan(60);
  expect(librarySources().filter((file) => !packed.has(file))).toEqual([]);
});

test('kernels of other sources, or none, are compiled, and a missing compiler is one sentence', () => {
  writePrebuilt('other');
  for (const remove of [() => {}, () => rmSync(prebuilt, { recursive: true })]) {
    remove();
    const { status, stderr } = install();
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /^No prebuilt CPU kernels for \S+ of this version are installed\.\nAloft compiles .* does not run; install one .* then run npm install again\.\n$/,
    );
  }
});
