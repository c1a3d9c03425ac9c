/** Counts pages of mapped files that somebody has truncated away; without it, reading one ends the process. */
import { existsSync } from 'node:fs';
import { kernelLibraryPath } from './kernel-library-path.js';
import { openLibrary } from './library.js';

const LIBRARY_PATH = kernelLibraryPath();

export interface WatchedMapping {
  /** Number of pages that were read and are gone; their bytes are zeros since. */
  lostPages(): number;
  forget(): void;
}

const UNWATCHED: WatchedMapping = { lostPages: () => 0, forget: () => undefined };

/** Watches a mapped range. Where the kernel library is not built, nothing is watched. */
export function watchMapping(address: number, byteLength: number): WatchedMapping {
  if (!existsSync(LIBRARY_PATH)) return UNWATCHED;
  const library = openLibrary(LIBRARY_PATH);
  const watch = library.bind('int aloft_mapping_watch(uint64_t address, uint64_t byteLength)');
  const lostPages = library.bind('uint64_t aloft_mapping_lost_pages(int slot)');
  const forget = library.bind('void aloft_mapping_forget(int slot)');
  const slot = Number(watch(address, byteLength));
  if (slot < 0) return UNWATCHED;
  return { lostPages: () => Number(lostPages(slot)), forget: () => void forget(slot) };
}
