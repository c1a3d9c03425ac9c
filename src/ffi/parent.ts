import { openLibrary } from './library.js';

const PR_SET_PDEATHSIG = 1;
const SIGKILL = 9;

/**
 * Makes the system end this process when the thread that started it ends, whatever this process does then. Call it first.
 * @param parentPid of the process that started this one @returns false if that has ended before
 */
export function endWithParent(parentPid: number): boolean {
  setDeathSignal(SIGKILL);
  return process.ppid === parentPid;
}

/** Undoes {@link endWithParent}. */
export function outliveParent(): void {
  setDeathSignal(0);
}

function setDeathSignal(signal: number): void {
  const prctl = openLibrary('libc.so.6').bind(
    'int prctl(int option, uint64_t first, uint64_t second, uint64_t third, uint64_t fourth)',
  );
  prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0);
}
