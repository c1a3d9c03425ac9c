/** The CPU kernel library, and the thread pool that its kernels run on. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { AloftError } from '../../core/errors.js';
import { kernelLibraryPath } from '../../ffi/kernel-library-path.js';
import { openLibrary, type NativeLibrary } from '../../ffi/library.js';
import { ISA_LEVELS, type IsaLevel } from './isa.js';
import { physicalCoreCount } from './physical-cores.js';

const LIBRARY_PATH = kernelLibraryPath();
const BUILD_SCRIPT = fileURLToPath(new URL('../../../scripts/build-native.mjs', import.meta.url));

/** Opens the library of this installation. @throws {AloftError} COMPILER_MISSING when it was never compiled */
export function openKernelLibrary(path: string = LIBRARY_PATH): NativeLibrary {
  if (!existsSync(path)) {
    throw new AloftError(
      'COMPILER_MISSING',
      `The CPU kernel library ${path} is not built, as where no C++20 compiler was found (Debian: apt-get install g++) or install scripts are switched off; build it with 'node ${BUILD_SCRIPT}'.`,
    );
  }
  return openLibrary(path);
}

/** The highest level that this machine and its operating system give to this process. */
export function detectIsa(library: NativeLibrary): IsaLevel {
  return ISA_LEVELS[Number(library.bind('int aloft_isa_detect()')())]!;
}

export interface CpuPoolOptions {
  /** Threads, the calling one included. Default: physical cores available to the process. */
  readonly threadCount?: number;
  /** Use no instructions above this level. Default: the machine's highest. */
  readonly isa?: IsaLevel;
}

/**
 * Threads that run the kernels of one executor, one kernel at a time. Kernels take `handle` as their first argument,
 * run on all threads, the caller's included, and return when the result is complete.
 */
export interface CpuPool {
  readonly library: NativeLibrary;
  /** Native handle, 0 after `dispose`. */
  readonly handle: number;
  readonly threadCount: number;
  readonly isa: IsaLevel;
  dispose(): void;
}

/** @throws {AloftError} COMPILER_MISSING without a library, USAGE on a thread count below 1 or a level the machine lacks */
export function createCpuPool(options: CpuPoolOptions = {}): CpuPool {
  const library = openKernelLibrary();
  const highest = detectIsa(library);
  const { threadCount = physicalCoreCount(), isa = highest } = options;
  if (!Number.isInteger(threadCount) || threadCount < 1 || threadCount > 1024) {
    throw new AloftError('USAGE', `The thread count must be 1 to 1024, not ${threadCount}.`);
  }
  if (ISA_LEVELS.indexOf(isa) > ISA_LEVELS.indexOf(highest)) {
    throw new AloftError(
      'USAGE',
      `This machine has no ${isa} instructions; its highest level is ${highest}.`,
    );
  }
  const create = library.bind('uint64_t aloft_pool_create(int threadCount, int isa)');
  const destroy = library.bind('void aloft_pool_destroy(uint64_t pool)');
  let handle = Number(create(threadCount, ISA_LEVELS.indexOf(isa)));
  return {
    library,
    get handle() {
      return handle;
    },
    threadCount,
    isa,
    dispose() {
      if (handle !== 0) destroy(handle);
      handle = 0;
    },
  };
}
