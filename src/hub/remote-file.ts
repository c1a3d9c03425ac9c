/** A file of a repository, as the hub lists it. */
export interface RemoteFile {
  /** Path in the repository. */
  readonly path: string;
  readonly bytes: number;
  readonly checksum: Checksum;
}

/** Checksum by which the hub knows a file, which is also the name of its blob in the cache. */
interface Checksum {
  /** SHA-256 of the bytes for large files; for others git's SHA-1 of a blob with these bytes. */
  readonly type: 'sha256' | 'git';
  /** Lower-case hexadecimal. */
  readonly hex: string;
}
