/** Kernels that are linked with musl, loaded by a program of musl. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { buildLibrary, MUSL_X64 } from '../native-library.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const hasMusl = process.arch === 'x64' && spawnSync('musl-gcc', ['--version']).status === 0;

/** Output of check.c, compiled by `compiler`, for a library. */
function check(compiler, library, folder) {
  const program = join(folder, `check-${compiler}`);
  const source = join(root, 'scripts/musl/check.c');
  const compiled = spawnSync(compiler, ['-Wall', '-Werror', source, '-o', program, '-ldl'], {
    encoding: 'utf8',
  });
  expect(compiled.stderr).toBe('');
  const { stdout, stderr } = spawnSync(program, [library], { encoding: 'utf8' });
  expect(stderr).toBe('');
  return stdout;
}

test.skipIf(!hasMusl)(
  'give the same bits as with glibc [needs musl-gcc: apt-get install musl-tools]',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'aloft-musl-'));
    try {
      const library = join(folder, 'libaloft-cpu.so');
      const compiler = process.env.CXX ?? 'g++';
      await buildLibrary(library, {
        ...MUSL_X64,
        compiler,
        arch: 'x64',
        objects: join(root, 'build/native'), // compiled before the tests
        say() {},
      });
      const bits = check('musl-gcc', library, folder);
      expect(bits).toMatch(/^level 0\nf16 [0-9a-f]{16} .*\nint8 .*\nnorm .*\n/);
      expect(bits).toBe(check('gcc', join(root, 'dist/native/libaloft-cpu.so'), folder));
      const { stdout: needed } = spawnSync('readelf', ['-d', library], { encoding: 'utf8' });
      expect(Array.from(needed.matchAll(/\(NEEDED\).*\[(.+)\]/g), ([, name]) => name)).toEqual(['libc.so']);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
);
