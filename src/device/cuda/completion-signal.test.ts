import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { createCompletionSignal } from './completion-signal.js';
import type { CudaDriver } from './driver.js';
import type { CudaEvent } from './stream.js';

/** A driver that writes down its calls and calls back on another thread, as CUDA does, with a status. */
function createDriver(status: number) {
  const calls: [name: string, ...args: number[]][] = [];
  const threads: Promise<unknown>[] = [];
  const callBack = (stream: number, callback: number, data: number): void => {
    const program = `
      import { openKernelLibrary } from '${new URL('../cpu/kernel-library.js', import.meta.url).href}';
      const library = openKernelLibrary();
      if (library.address('aloft_raise') !== ${callback}) throw new Error('another function was to be called');
      library.bind('void aloft_raise(uint64_t stream, int status, uint64_t data)')(${stream}, ${status}, ${data});`;
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(program)}`));
    threads.push(new Promise((resolve, reject) => worker.on('exit', resolve).on('error', reject)));
  };
  const driver = {
    out64: () => 7,
    call: (name: string, ...args: number[]) => calls.push([name, ...args]),
    raw:
      (name: string) =>
      (...args: number[]) => {
        calls.push([name, ...args]);
        if (name === 'cuStreamAddCallback') callBack(args[0]!, args[1]!, args[2]!);
        return 0;
      },
    check: () => {},
  } as unknown as CudaDriver;
  return { driver, calls, threads };
}

test.each([
  ['of an event that has come', 0],
  ['of a device that has failed', 700],
])('a signal %s wakes who waits', async (_, status) => {
  const { driver, calls, threads } = createDriver(status);
  const signal = createCompletionSignal(driver);
  const next = signal.next();
  signal.signalAfter({ handle: 5 } as CudaEvent);
  await Promise.all([next, ...threads]);
  signal.dispose();
  // The stream is the signal's own: the one that the event was recorded on waits for nobody.
  const [wait, add, ...rest] = calls;
  expect(wait).toEqual(['cuStreamWaitEvent', 7, 5, 0]);
  expect(add).toEqual(['cuStreamAddCallback', 7, expect.any(Number), expect.any(Number), 0]);
  expect(rest).toEqual([
    ['cuStreamSynchronize', 7],
    ['cuStreamDestroy_v2', 7],
  ]);
});
