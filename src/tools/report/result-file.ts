/** Files that a command writes its results to: whether they can be written is asked before the work, which may take hours. */
import { accessSync, constants, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { writeFault, writingFile } from '../../core/file-fault.js';

/**
 * Checks each file that a flag names, or the nearest folder around it that is there. Nothing is made.
 * @throws {AloftError} OUTPUT_FAILED
 */
export function requireWritable(paths: readonly (string | undefined)[]): void {
  for (const path of paths) {
    if (path === undefined) continue;
    const there = writingFile(path, () => statSync(path, { throwIfNoEntry: false }));
    if (there?.isDirectory()) throw writeFault(path, 'EISDIR');
    const probed = there === undefined ? nearestFolder(path) : path;
    writingFile(path, () => accessSync(probed, constants.W_OK));
  }
}

/** @throws {AloftError} OUTPUT_FAILED when a part of the path is a file */
function nearestFolder(path: string): string {
  let folder = dirname(resolve(path));
  while (writingFile(path, () => statSync(folder, { throwIfNoEntry: false })) === undefined)
    folder = dirname(folder);
  return folder;
}

/** Writes a file, with the folders around it. @throws {AloftError} OUTPUT_FAILED */
export function writeResultFile(path: string, text: string): void {
  writingFile(path, () => {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  });
}
