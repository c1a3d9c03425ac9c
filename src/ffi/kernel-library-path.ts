/** Path of the library with the CPU kernels. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const COMPILED = fileURLToPath(new URL('../native/libaloft-cpu.so', import.meta.url));

/**
 * The library that was compiled here, else that of the package for this platform (`scripts/pack-native.mjs`).
 * @returns a path where nothing lies when there is neither
 */
export function kernelLibraryPath(): string {
  return existsSync(COMPILED) ? COMPILED : (prebuilt() ?? COMPILED);
}

/** npm installs the package of the right C library, and no other. */
function prebuilt(): string | undefined {
  const require = createRequire(import.meta.url);
  for (const libc of ['gnu', 'musl']) {
    try {
      return require.resolve(`aloft-cpu-${process.platform}-${process.arch}-${libc}/libaloft-cpu.so`);
    } catch {
      continue; // it is not installed
    }
  }
  return undefined;
}
