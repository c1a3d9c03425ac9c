/** This thread and the system's scheduler. */
import { type NativeFunction, openLibrary } from './library.js';
import { addressOf } from './memory.js';

/** Bytes of a set of cores: 8,192 of them. */
const CORE_SET_BYTES = 1024;

/** Lets this thread run on all cores that its process may have, whatever a launcher bound it to. */
export function takeAllCores(): void {
  const cores = new Uint8Array(new ArrayBuffer(CORE_SET_BYTES)).fill(255);
  const set = openLibrary('libc.so.6').bind(
    'int sched_setaffinity(int pid, size_t byteCount, uint64_t cores)',
  );
  set(0, cores.length, addressOf(cores));
}

let usleep: NativeFunction | undefined;

/** Pauses this thread, and its event loop with it. */
export function sleepMicroseconds(time: number): void {
  usleep ??= openLibrary('libc.so.6').bind('int usleep(uint32_t microseconds)');
  usleep(time);
}
