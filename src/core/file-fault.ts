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
  const meaning = MEANINGS[code ?? ''] ?? `cannot be read (${code}); check the path and its permissions`;
  return new AloftError('FILE_UNREADABLE', `${path} ${meaning}.`, { cause: thrown });
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
  return Object.hasOwn(MEANINGS, code) ? fileFault(`A file (${syscall})`, thrown) : thrown;
}
