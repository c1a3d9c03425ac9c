/** Host memory outside the JavaScript heap: mapped files and anonymous areas, by address. */
import { closeSync, fstatSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import koffi from 'koffi';
import { AloftError } from '../core/errors.js';
import { readingFile } from '../core/file-fault.js';
import { openLibrary, type NativeFunction } from './library.js';
import { watchMapping, type WatchedMapping } from './mapped-faults.js';

const PROT_READ = 1;
const PROT_WRITE = 2;
const MAP_SHARED = 1;
const MAP_PRIVATE = 2;
const MAP_ANONYMOUS = 0x20;
const MAP_NORESERVE = 0x4000;
const MAP_FAILED = 2 ** 64; // (void *) -1, rounded to a double
const MADV_DONTNEED = 4;
const MADV_HUGEPAGE = 14;
const PAGE_BYTES = 4096;
const READ_BYTES = 256 << 20;

interface LibC {
  readonly mmap: NativeFunction;
  readonly munmap: NativeFunction;
  readonly madvise: NativeFunction;
  readonly memcpy: NativeFunction;
}

let libc: LibC | undefined;

function openLibC(): LibC {
  if (libc === undefined) {
    const library = openLibrary('libc.so.6');
    libc = {
      mmap: library.bind(
        'uint64_t mmap(uint64_t address, size_t length, int protection, int flags, int file, int64_t offset)',
      ),
      munmap: library.bind('int munmap(uint64_t address, size_t length)'),
      madvise: library.bind('int madvise(uint64_t address, size_t length, int advice)'),
      memcpy: library.bind('uint64_t memcpy(uint64_t to, uint64_t from, size_t length)'),
    };
  }
  return libc;
}

/** A range of host memory. Views are zero-copy; none may be used after `dispose`. */
export interface HostArea {
  readonly address: number;
  readonly byteLength: number;
  /** A view of at most 4 GiB (Node 20 aborts on larger ones). */
  bytes(offset: number, length: number): Uint8Array;
  /** Takes the whole pages of a range out of this process; a mapped file's are read again when touched, others become zero. */
  release(offset: number, length: number): void;
  /** Number of pages of a mapped file that were read and had been truncated away; they read as zeros. */
  lostPages(): number;
  dispose(): void;
}

function area(address: number, byteLength: number, watched?: WatchedMapping): HostArea {
  let mapped = true;
  return {
    address,
    byteLength,
    bytes(offset, length) {
      if (!mapped || !(offset >= 0 && offset + length <= byteLength) || length > 2 ** 32) {
        throw new AloftError(
          'INTERNAL',
          `view [${offset}, +${length}) of a host area of ${byteLength} bytes`,
        );
      }
      return length === 0 ? new Uint8Array(0) : new Uint8Array(koffi.view(BigInt(address + offset), length));
    },
    release(offset, length) {
      const start = Math.ceil((address + offset) / PAGE_BYTES) * PAGE_BYTES;
      const end = Math.floor((address + Math.min(offset + length, byteLength)) / PAGE_BYTES) * PAGE_BYTES;
      if (mapped && end > start) openLibC().madvise(start, end - start, MADV_DONTNEED);
    },
    lostPages: () => (mapped ? (watched?.lostPages() ?? 0) : 0),
    dispose() {
      if (mapped) watched?.forget();
      if (mapped && byteLength > 0) openLibC().munmap(address, byteLength);
      mapped = false;
    },
  };
}

/** To open a pipe would wait for whoever writes to it. @throws {AloftError} FILE_UNREADABLE */
export function requireRegularFile(path: string): void {
  const stats = statSync(path);
  // A directory has an error of its own when it is read.
  if (stats.isFile() || stats.isDirectory()) return;
  throw new AloftError('FILE_UNREADABLE', `${path} is no file but a device, pipe or socket; name the file.`);
}

/** Maps a whole file read-only. @throws {AloftError} FILE_UNREADABLE, TOO_MANY_FILES, OUT_OF_MEMORY */
export function mapFile(path: string): HostArea {
  requireRegularFile(path);
  const file = readingFile(path, () => openSync(path, 'r'));
  try {
    const stats = fstatSync(file);
    const { size } = stats;
    if (stats.isDirectory())
      throw new AloftError('FILE_UNREADABLE', `${path} is a directory, not a file; name the file.`);
    if (size === 0) return area(0, 0);
    const address = Number(openLibC().mmap(0, size, PROT_READ, MAP_PRIVATE, file, 0));
    if (address >= MAP_FAILED)
      throw new AloftError('OUT_OF_MEMORY', `Cannot map ${path} (${size} bytes) into memory.`);
    return area(address, size, watchMapping(address, size));
  } finally {
    closeSync(file);
  }
}

/**
 * Reads a whole file into anonymous memory in huge pages. Kernels that stream through it are bound by memory, and read it
 * faster than through the 4 KiB pages of a mapped file.
 * @param onBytes receives the bytes read so far after each piece
 * @throws {AloftError} FILE_UNREADABLE, TOO_MANY_FILES, OUT_OF_MEMORY, ENGINE_CORRUPT
 */
export function readFileToHost(path: string, onBytes?: (bytes: number) => void): HostArea {
  requireRegularFile(path);
  const file = readingFile(path, () => openSync(path, 'r'));
  const { size } = fstatSync(file);
  const target = size === 0 ? area(0, 0) : allocateHost(size);
  try {
    for (let offset = 0; offset < size;) {
      const piece = target.bytes(offset, Math.min(READ_BYTES, size - offset));
      const count = readingFile(path, () => readSync(file, piece, 0, piece.length, offset));
      if (count === 0)
        throw new AloftError(
          'ENGINE_CORRUPT',
          `${path} ended after ${offset} of ${size} bytes. Copy it again.`,
        );
      offset += count;
      onBytes?.(offset);
    }
    return target;
  } catch (fault) {
    target.dispose();
    throw fault;
  } finally {
    closeSync(file);
  }
}

/** Returns true if {@link allocateHost} can get huge pages. */
export function hasHugePages(): boolean {
  try {
    return !readFileSync('/sys/kernel/mm/transparent_hugepage/enabled', 'utf8').includes('[never]');
  } catch {
    return false;
  }
}

/** Zeroed anonymous memory, in huge pages where the system has them; physical pages come on first touch. */
export function allocateHost(byteLength: number): HostArea {
  const flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  const address = Number(openLibC().mmap(0, byteLength, PROT_READ | PROT_WRITE, flags, -1, 0));
  if (address >= MAP_FAILED)
    throw new AloftError('OUT_OF_MEMORY', `Cannot reserve ${byteLength} bytes of host memory.`);
  openLibC().madvise(address, byteLength, MADV_HUGEPAGE);
  return area(address, byteLength);
}

/** Maps an open file for reading and writing by every process that maps it. @throws {AloftError} OUT_OF_MEMORY */
export function mapShared(file: number, byteLength: number): HostArea {
  const address = Number(openLibC().mmap(0, byteLength, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0));
  if (address >= MAP_FAILED)
    throw new AloftError('OUT_OF_MEMORY', `Cannot map ${byteLength} bytes of shared memory.`);
  return area(address, byteLength);
}

/** Address of a typed array's first element, for native calls that keep no reference. The caller keeps the array alive. */
export function addressOf(view: ArrayBufferView): number {
  return Number(koffi.address(view));
}

/** Copies `byteLength` bytes between addresses that do not overlap. */
export function copyHost(to: number, from: number, byteLength: number): void {
  openLibC().memcpy(to, from, byteLength);
}
