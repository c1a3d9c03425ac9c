/** Room on disks for what is about to be written. */
import { statfsSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { AloftError } from '../../core/errors.js';
import { formatBytes } from './terminal.js';

export interface SpaceNeed {
  /** Folder to write into, which need not be there. */
  readonly directory: string;
  readonly bytes: number;
}

/** Checks that all of it fits; what goes to the same disk is added. @throws {AloftError} OUTPUT_FAILED */
export function requireSpace(needs: readonly SpaceNeed[]): void {
  const disks = new Map<number, SpaceNeed>();
  for (const { directory, bytes } of needs) {
    const { dev } = statSync(existing(directory));
    const other = disks.get(dev);
    disks.set(dev, { directory: other?.directory ?? directory, bytes: bytes + (other?.bytes ?? 0) });
  }
  for (const { directory, bytes } of disks.values()) {
    const { bavail, bsize } = statfsSync(existing(directory));
    const freeBytes = bavail * bsize;
    if (bytes > freeBytes)
      throw new AloftError(
        'OUTPUT_FAILED',
        `The disk of ${directory} has ${formatBytes(freeBytes)} free, but ${formatBytes(bytes)} are needed; free space, or name folders on another disk with HF_HUB_CACHE and XDG_CACHE_HOME.`,
      );
  }
}

/** The folder, or the nearest one around it that is there. */
function existing(directory: string): string {
  let folder = resolve(directory);
  while (statSync(folder, { throwIfNoEntry: false }) === undefined) folder = dirname(folder);
  return folder;
}
