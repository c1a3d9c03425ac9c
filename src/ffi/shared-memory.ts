/** Memory that processes of one host share: an anonymous file that only those see that are given its descriptor. */
import { ftruncateSync } from 'node:fs';
import { AloftError } from '../core/errors.js';
import { openLibrary } from './library.js';
import { type HostArea, mapShared } from './memory.js';

/** Shared memory with its descriptor, which a child process inherits by its `stdio`. */
export interface SharedMemory {
  readonly descriptor: number;
  readonly area: HostArea;
  dispose(): void;
}

/**
 * Zeroed memory without a name: nothing is left of it when its processes have ended, however they ended.
 * @param label shown by the system in listings of a process's files
 * @throws {AloftError} OUT_OF_MEMORY
 */
export function createSharedMemory(label: string, byteLength: number): SharedMemory {
  const create = openLibrary('libc.so.6').bind('int memfd_create(const char *name, unsigned int flags)');
  const descriptor = Number(create(label, 1)); // MFD_CLOEXEC
  if (descriptor < 0)
    throw new AloftError('OUT_OF_MEMORY', `Cannot create ${byteLength} bytes of shared memory for ${label}.`);
  ftruncateSync(descriptor, byteLength);
  return openSharedMemory(descriptor, byteLength);
}

/** Maps memory that another process created. @throws {AloftError} OUT_OF_MEMORY */
export function openSharedMemory(descriptor: number, byteLength: number): SharedMemory {
  const area = mapShared(descriptor, byteLength);
  return {
    descriptor,
    area,
    dispose() {
      area.dispose();
      // Not by Node, which tracks the files of threads and did not open this one.
      openLibrary('libc.so.6').bind('int close(int descriptor)')(descriptor);
    },
  };
}
