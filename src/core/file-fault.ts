/** Faults of the file system as errors that say what to do. */
import { AloftError } from './errors.js';

/** Meaning of a code of the system for the user. */
const MEANINGS: Readonly<Record<string, string>> = {
  EACCES: 'may not be read by this user; change its permissions or its owner',
  EPERM: 'may not be read by this user; change its permissions or its owner',
  ENOENT: 'is missing, or is a link to a file that is missing; copy it there',
  EISDIR: 'is a directory, not a file; name the file',
  ENOTDIR: 'cannot be reached, because a part of its path is a file; correct the path',
  ELOOP: 'is a symbolic link that leads back to itself; copy the file again',
  EIO: 'cannot be read from the disk (EIO); check the disk',
  ESTALE: 'is gone from the network drive (ESTALE); mount it again',
  ENAMETOOLONG: 'has a name that is too long',
};

/** The same for files that are written. */
const WRITE_MEANINGS: Readonly<Record<string, string>> = {
  EACCES: 'may not be written by this user; change its permissions, or name another place',
  EPERM: 'may not be written by this user; change its permissions, or name another place',
  EROFS: 'lies on a file system that is read-only; name another place',
  ENOENT: 'lies in a folder that is missing; make the folder, or correct the path',
  EISDIR: 'is a directory, not a file; name a file',
  ENOTDIR: 'cannot be reached, because a part of its path is a file; correct the path',
  EEXIST: 'cannot be reached, because a part of its path is a file; correct the path',
  ENOSPC: 'cannot be written, because the disk is full; free space, or name another place',
  EDQUOT:
    "cannot be written, because the user's share of the disk is full; free space, or name another place",
  EFBIG: "would be larger than files may be (EFBIG); raise the limit with 'ulimit -f', or name another disk",
};
/** Codes that only writing meets. */
const WRITE_ONLY: ReadonlySet<string> = new Set(['EROFS', 'ENOSPC', 'EDQUOT', 'EFBIG']);

/** Faults of the process, not of the file. */
const OUT_OF_DESCRIPTORS: readonly (string | undefined)[] = ['EMFILE', 'ENFILE'];

/** True for an error of a system call. */
export function isSystemFault(thrown: unknown): thrown is NodeJS.ErrnoException {
  return thrown instanceof Error && 'syscall' in thrown && 'code' in thrown;
}

/** The error for a file that is there and cannot be read. Other errors than those of the system stay as they are. */
export function fileFault(path: string, thrown: unknown): unknown {
  if (!isSystemFault(thrown)) return thrown;
  const { code } = thrown;
  if (OUT_OF_DESCRIPTORS.includes(code))
    return new AloftError(
      'TOO_MANY_FILES',
      `${path} cannot be opened: the process may have no more files open (${code}); raise the limit with 'ulimit -n 4096'.`,
      { cause: thrown },
    );
  if (code !== undefined && WRITE_ONLY.has(code)) return writeFault(path, code, thrown);
  const meaning = MEANINGS[code ?? ''] ?? `cannot be read (${code}); check the path and its permissions`;
  return new AloftError('FILE_UNREADABLE', `${path} ${meaning}.`, { cause: thrown });
}

/** The error for a write that the system refuses with `code`, or would. */
export function writeFault(path: string, code: string, cause?: unknown): AloftError {
  const meaning = WRITE_MEANINGS[code] ?? `cannot be written (${code}); check the path and its permissions`;
  return new AloftError('OUTPUT_FAILED', `${path} ${meaning}.`, { cause });
}

/** Runs a write to `path`. @throws {AloftError} OUTPUT_FAILED, TOO_MANY_FILES; what is no fault of the system stays as it is */
export function writingFile<Result>(path: string, write: () => Result): Result {
  try {
    return write();
  } catch (thrown) {
    if (!isSystemFault(thrown) || OUT_OF_DESCRIPTORS.includes(thrown.code)) throw fileFault(path, thrown);
    throw writeFault(path, thrown.code ?? '', thrown);
  }
}

/** Runs a read of `path`. @throws {AloftError} FILE_UNREADABLE, TOO_MANY_FILES; what is no fault of the system stays as it is */
export function readingFile<Result>(path: string, read: () => Result): Result {
  try {
    return read();
  } catch (thrown) {
    throw fileFault(path, thrown);
  }
}

/** The error of a system call that nobody expected, as one sentence where it is about a file or the process's limit. */
export function systemFault(thrown: unknown): unknown {
  if (!isSystemFault(thrown)) return thrown;
  const { path, code = '', syscall } = thrown;
  if (path !== undefined) return fileFault(path, thrown);
  if (OUT_OF_DESCRIPTORS.includes(code)) return fileFault(`A file or connection (${syscall})`, thrown);
  return Object.hasOwn(MEANINGS, code) || WRITE_ONLY.has(code)
    ? fileFault(`A file (${syscall})`, thrown)
    : thrown;
}
