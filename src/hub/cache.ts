/** The cache of downloads, in the layout of Hugging Face's Python client, so that each finds what the other has downloaded. */
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import type { RemoteFile } from './remote-file.js';

const COMMIT = /^[0-9a-f]{40}$/;

/** `models--ORG--NAME` of a cache: blobs by checksum, snapshots of links to them by commit, and the commits of revisions. */
export class CachedRepository {
  readonly folder: string;

  constructor(cacheDirectory: string, repository: string) {
    this.folder = join(cacheDirectory, `models--${repository.replace('/', '--')}`);
  }

  /** Folder of the files of a commit, which need not be there. */
  snapshot(commit: string): string {
    return join(this.folder, 'snapshots', commit);
  }

  /** The commit that a revision had when it was last pulled; undefined when it never was. */
  commitOf(revision: string): string | undefined {
    const ref = join(this.folder, 'refs', revision);
    const commit = isFile(ref) ? readFileSync(ref, 'utf8').trim() : revision;
    return COMMIT.test(commit) ? commit : undefined;
  }

  setCommit(revision: string, commit: string): void {
    if (revision !== commit)
      replace(join(this.folder, 'refs', revision), (path) => writeFileSync(path, commit));
  }

  blob({ checksum }: RemoteFile): string {
    return join(this.folder, 'blobs', checksum.hex);
  }

  hasBlob(file: RemoteFile): boolean {
    return statSync(this.blob(file), { throwIfNoEntry: false })?.size === file.bytes;
  }

  /** Bytes of a download that was cut off and can go on. */
  partBytes(file: RemoteFile): number {
    const bytes = statSync(partialBlob(this.blob(file)), { throwIfNoEntry: false })?.size ?? 0;
    return bytes > file.bytes ? 0 : bytes;
  }

  /** Puts a file whose blob is there into the snapshot of a commit. */
  link(commit: string, file: RemoteFile): void {
    const link = join(this.snapshot(commit), file.path);
    replace(link, (path) => symlinkSync(relative(dirname(link), this.blob(file)), path));
  }

  /** Paths of the files in the snapshot of a commit, without links to nothing. */
  filesOf(commit: string): string[] {
    const snapshot = this.snapshot(commit);
    if (statSync(snapshot, { throwIfNoEntry: false }) === undefined) return [];
    const paths = readdirSync(snapshot, { recursive: true, encoding: 'utf8' });
    return paths.filter((path) => isFile(join(snapshot, path)));
  }
}

/** Path of a blob while it is downloaded. */
export const partialBlob = (blob: string): string => `${blob}.incomplete`;

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

/** Makes a file or link and puts it in the place of the one that is there, if any. */
function replace(path: string, make: (path: string) => void): void {
  mkdirSync(dirname(path), { recursive: true });
  const made = `${path}.${process.pid}`;
  rmSync(made, { force: true });
  make(made);
  renameSync(made, path);
}
