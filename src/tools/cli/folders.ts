/** Folders of a user's own, as the XDG base directory specification has them. */
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Files that can be made again: engines that were built on the way. */
export function cacheFolder(): string {
  return join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'aloft');
}

/** Files that are worth keeping between runs: lines that were typed. */
export function stateFolder(): string {
  return join(process.env['XDG_STATE_HOME'] || join(homedir(), '.local', 'state'), 'aloft');
}
