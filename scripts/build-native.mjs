/**
 * The package's install script: sees to the CPU kernel library. A package of this platform that was built from the same sources has
 * it ready (`scripts/pack-native.mjs`); else it is compiled into dist/native/libaloft-cpu.so, as in a checkout.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildLibrary, CompilerMissing, sourceHash } from './native-library.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const platform = `${process.platform}-${process.arch}`;
const compiler = process.env.CXX ?? 'g++';

/** Name of the installed package that has this platform's kernels; npm installs the one of the right C library. */
function prebuiltPackage() {
  const require = createRequire(import.meta.url);
  for (const libc of ['gnu', 'musl']) {
    const name = `aloft-cpu-${platform}-${libc}`;
    try {
      if (require(`${name}/package.json`).aloft.sources === sourceHash()) return name;
    } catch (fault) {
      if (fault.code !== 'MODULE_NOT_FOUND') throw fault;
    }
  }
  return undefined;
}

/** npm keeps to itself what the scripts of packages print, so a terminal gets it from here: in lines, which npm's spinner leaves alone. */
function say(text) {
  process.stderr.write(text);
  if (process.stderr.isTTY || process.env.npm_lifecycle_event !== 'install') return;
  try {
    writeFileSync('/dev/tty', `\r${text.trim()}\n`);
  } catch {
    // There is no terminal.
  }
}

const isCheckout = existsSync(join(root, 'tsconfig.json'));
if (isCheckout || prebuiltPackage() === undefined) {
  if (!isCheckout) say(`No prebuilt CPU kernels for ${platform} of this version are installed.\n`);
  try {
    await buildLibrary(join(root, 'dist/native/libaloft-cpu.so'), {
      compiler,
      arch: process.arch,
      objects: join(root, 'build/native'),
      say,
    });
  } catch (fault) {
    console.error(
      fault instanceof CompilerMissing
        ? `Aloft compiles its CPU kernels with a C++20 compiler, and '${compiler}' does not run; install one (Debian: apt-get install g++) or name one in CXX, then run npm install again.`
        : `\nAloft could not compile its CPU kernels: ${fault.message}`,
    );
    process.exitCode = 1;
  }
}
