/** Files of a clone without Git LFS, which has short texts in place of the large ones. */
import { closeSync, openSync, readSync } from 'node:fs';
import { AloftError } from '../../core/errors.js';
import { readingFile } from '../../core/file-fault.js';
import { requireRegularFile } from '../../ffi/memory.js';

const POINTER_START = 'version https://git-lfs';

/** @throws {AloftError} CHECKPOINT_CORRUPT for a pointer, FILE_UNREADABLE */
export function refusePointer(path: string): void {
  // A pipe would be waited for.
  requireRegularFile(path);
  if (startOf(path) === POINTER_START)
    throw new AloftError(
      'CHECKPOINT_CORRUPT',
      `${path} is a Git LFS pointer, not the file itself. Run 'git lfs pull' in the model directory.`,
    );
}

function startOf(path: string): string {
  const start = Buffer.alloc(POINTER_START.length);
  return readingFile(path, () => {
    const file = openSync(path, 'r');
    try {
      readSync(file, start);
    } finally {
      closeSync(file);
    }
    return start.toString('latin1');
  });
}
