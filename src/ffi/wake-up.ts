/** The way from native code, on any thread, to this thread's event loop. */
import { type OnReadOpts, Socket, type SocketConstructorOpts } from 'node:net';
import { AloftError } from '../core/errors.js';
import { openLibrary } from './library.js';
import { addressOf } from './memory.js';

/** A pipe that native code writes a byte to whenever there is something to look at. */
export interface WakeUp {
  /** File descriptor of the end that is written to. A full pipe takes no more, which loses nothing: the reader will look. */
  readonly descriptor: number;
  /** Resolves after the next byte. Bytes that came while nobody waited are forgotten, so look first and then wait. */
  next(): Promise<void>;
  /** Closes both ends. Nobody may write afterwards: another file may get the descriptor. */
  dispose(): void;
}

/** fcntl.h */
const O_NONBLOCK = 0x800;
const O_CLOEXEC = 0x80000;
const READ_BYTES = 4096;

/**
 * Opens a pipe and reads it with Node's own socket. koffi can poll a descriptor, too, but promises that its callback resolves
 * are not continued on Node 26 until something else happens, and an event during the end of the process or of a worker
 * thread aborts the process (koffi 3.3.4).
 * @throws {AloftError} DEVICE_UNAVAILABLE when the process has too many open files
 */
export function createWakeUp(): WakeUp {
  const ends = new Int32Array(new ArrayBuffer(64));
  const libc = openLibrary('libc.so.6');
  const pipe2 = libc.bind('int pipe2(uint64_t ends, int flags)');
  if (Number(pipe2(addressOf(ends), O_NONBLOCK | O_CLOEXEC)) !== 0)
    throw new AloftError(
      'DEVICE_UNAVAILABLE',
      'Cannot open a pipe, because the process has too many open files; raise the limit (ulimit -n).',
    );
  const [readEnd, descriptor] = [ends[0]!, ends[1]!];
  // Node warns of descriptors that a worker thread closes by it and did not open by it.
  const close = libc.bind('int close(int descriptor)');
  let waiting: (() => void)[] = [];
  const options: SocketConstructorOpts & { readonly onread: OnReadOpts } = {
    fd: readEnd,
    readable: true,
    writable: false,
    onread: {
      buffer: Buffer.alloc(READ_BYTES),
      callback() {
        const woken = waiting;
        waiting = [];
        socket.unref();
        for (const resolve of woken) resolve();
        return true;
      },
    },
  };
  const socket = new Socket(options);
  socket.unref(); // the pipe alone keeps no process alive
  return {
    descriptor,
    next: () =>
      new Promise((resolve) => {
        socket.ref();
        waiting.push(resolve);
      }),
    dispose() {
      socket.destroy();
      close(descriptor);
    },
  };
}
