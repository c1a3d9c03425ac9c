/** Questions about paths of a checkpoint, in which a file that may not be looked at is no missing one. */
import { closeSync, lstatSync, openSync, readdirSync, readlinkSync, type Stats, statSync } from 'node:fs';
import { join } from 'node:path';
import { AloftError } from '../../core/errors.js';
import { fileFault, isSystemFault, readingFile } from '../../core/file-fault.js';

/** Facts about a path, or undefined when there is nothing. @throws {AloftError} FILE_UNREADABLE */
export function statsOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (thrown) {
    if (isSystemFault(thrown) && thrown.code === 'ENOTDIR') return undefined;
    throw fileFault(path, thrown);
  }
}

/** @throws {AloftError} FILE_UNREADABLE, CHECKPOINT_CORRUPT for a link to nothing */
export function isThere(path: string): boolean {
  if (statsOf(path) !== undefined) return true;
  if (!lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink()) return false;
  throw new AloftError(
    'CHECKPOINT_CORRUPT',
    `${path} is a link to ${readlinkSync(path)}, which is gone. Download the model again.`,
  );
}

/** Names in a directory, sorted. @throws {AloftError} FILE_UNREADABLE */
export function namesIn(directory: string): string[] {
  return readingFile(directory, () => readdirSync(directory)).toSorted();
}

/** Paths of those of `names` that are in the directory. @throws {AloftError} FILE_UNREADABLE for one that this user may not read */
export function readableFiles(directory: string, names: readonly string[]): string[] {
  const paths = names.map((name) => join(directory, name)).filter(isThere);
  for (const path of paths) readingFile(path, () => closeSync(openSync(path, 'r')));
  return paths;
}
