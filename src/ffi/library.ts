/**
 * The one door to native code. koffi's traps, seen with 3.3 on Node 20, are handled here once:
 * it unloads libraries when a worker ends, which kills libraries that own threads, so every library is pinned first;
 * and it runs calls on stacks of its own, too small for compilers and JITs, so they are enlarged before the first load.
 */
import koffi from 'koffi';
import { AloftError } from '../core/errors.js';

const STACK_BYTES = 16 << 20; // koffi's maximum
const RTLD_NOW = 0x2;
const RTLD_GLOBAL = 0x100;
const RTLD_NODELETE = 0x1000;

/** A native function: addresses are passed as numbers, buffers as typed arrays; 64-bit results over 2^53 come as bigint. */
export type NativeFunction = (...args: unknown[]) => number | bigint;

export interface NativeLibrary {
  /** Binds `declaration`, a C prototype in koffi's syntax. Addresses are declared `uint64_t` so that they stay numbers. */
  bind(declaration: string): NativeFunction;
  has(symbol: string): boolean;
  /** Address of a symbol, for native code that calls it. @throws an error that names a symbol that is missing */
  address(symbol: string): number;
}

/** Bytes that a C function takes as a struct by value. */
export interface StructBytes {
  readonly bytes: Uint8Array;
}

const structs = new Set<string>();

/** Declares a C struct that is nothing but bytes, for prototypes that take it by value as {@link StructBytes}. */
export function declareBytesStruct(name: string, byteLength: number): void {
  if (structs.has(name)) return;
  koffi.struct(name, { bytes: koffi.array('uint8_t', byteLength, 'Typed') });
  structs.add(name);
}

let configured = false;
let dlopen: ((path: string, flags: number) => unknown) | undefined;

/** Opens and pins a shared library. @throws {AloftError} DEVICE_UNAVAILABLE naming the file and what the loader said */
export function openLibrary(path: string, options: { readonly global?: boolean } = {}): NativeLibrary {
  if (!configured) {
    koffi.config({ sync_stack_size: STACK_BYTES, async_stack_size: STACK_BYTES });
    configured = true;
  }
  dlopen ??= koffi.load('libc.so.6').func('void *dlopen(const char *path, int flags)');
  dlopen(path, RTLD_NOW | RTLD_NODELETE | (options.global ? RTLD_GLOBAL : 0));
  let library: ReturnType<typeof koffi.load>;
  try {
    library = koffi.load(path, { global: options.global ?? false });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new AloftError('DEVICE_UNAVAILABLE', `Cannot load the native library ${path}: ${reason}`, {
      cause,
    });
  }
  return {
    bind: (declaration) => library.func(declaration),
    address: (symbol) => Number(library.symbol(symbol)),
    has(symbol) {
      try {
        library.symbol(symbol, 'void');
        return true;
      } catch {
        return false;
      }
    },
  };
}
