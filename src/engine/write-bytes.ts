import { writeSync } from 'node:fs';
import { AloftError } from '../core/errors.js';

/** One call takes less than 2 GiB and may write less than it was given. */
const WRITE_BYTES = 256 << 20;

/** Writes all of `bytes` at `position`. @throws {AloftError} OUTPUT_FAILED, for example on a full disk */
export function writeBytes(file: { fd: number; path: string }, bytes: Uint8Array, position: number): void {
  try {
    for (let done = 0; done < bytes.length;) {
      const length = Math.min(WRITE_BYTES, bytes.length - done);
      done += writeSync(file.fd, bytes, done, length, position + done);
    }
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new AloftError(
      'OUTPUT_FAILED',
      `Cannot write ${file.path}: ${reason}. Free disk space or choose another output directory.`,
      { cause },
    );
  }
}
