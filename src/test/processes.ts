/** Facts that the system reports about processes. */
import { readdirSync, readFileSync } from 'node:fs';

/** Processes that a process has started and that have not ended. */
export function childPids(pid: number): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((candidate) => Number.isInteger(candidate) && parentOf(candidate) === pid);
}

/** Whether a process has not ended; one that nobody has asked about since counts as ended. */
export function isRunning(pid: number): boolean {
  return parentOf(pid) !== undefined;
}

function parentOf(pid: number): number | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [state, parent] = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return state === 'Z' || state === 'X' ? undefined : Number(parent);
  } catch {
    return undefined; // it has ended
  }
}
