import { AloftError } from '../core/errors.js';
import { isSystemFault } from '../core/file-fault.js';

/** Codes of the system for a disk, or a share of it, that is full. */
const FULL: readonly (string | undefined)[] = ['ENOSPC', 'EDQUOT'];

/** Runs work that writes to the cache. @throws {AloftError} OUTPUT_FAILED for faults of the file system; others stay as they are */
export async function writingTo<Result>(
  folder: string,
  path: string,
  work: () => Promise<Result> | Result,
): Promise<Result> {
  try {
    return await work();
  } catch (fault) {
    if (!isSystemFault(fault)) throw fault;
    const remedy = FULL.includes(fault.code)
      ? 'the disk is full; free space and pull again, and it goes on from there'
      : `${fault.code}; check the folder, or name another one with HF_HUB_CACHE`;
    throw new AloftError('OUTPUT_FAILED', `${path} cannot be written to ${folder}: ${remedy}.`, {
      cause: fault,
    });
  }
}
