/** Downloads one file into the cache: goes on where an earlier download was cut off, and compares the checksum. */
import { createHash, type Hash } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { type FileHandle, constants, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AloftError } from '../core/errors.js';
import { isSystemFault } from '../core/file-fault.js';
import { partialBlob } from './cache.js';
import { type HubClient, reasonOf } from './hub-client.js';
import { PassingFault, patiently } from './passing-fault.js';
import type { RemoteFile } from './remote-file.js';

export interface Download {
  readonly client: HubClient;
  readonly repository: string;
  readonly commit: string;
  readonly file: RemoteFile;
  /** Path of the blob to make. */
  readonly blob: string;
  readonly signal: AbortSignal;
  /** Called with the number of bytes that came since the last call; negative when bytes that were there must come again. */
  readonly onBytes: (bytes: number) => void;
}

/** Failures in a row, between which nothing came, before a download is given up. */
const MAX_FAILURES = 5;
const READ_BYTES = 1 << 20;

/**
 * Bytes are written at their place in `BLOB.incomplete`, so two processes that download the same file write the same bytes to
 * the same places. The file gets its name when it is complete and its checksum is right.
 * @throws {AloftError} HUB_*, DOWNLOAD_CORRUPT; faults of the file system as they are
 */
export async function download(job: Download): Promise<void> {
  const part = partialBlob(job.blob);
  mkdirSync(dirname(part), { recursive: true });
  const handle = await open(part, constants.O_RDWR | constants.O_CREAT);
  try {
    await new PartialFile(job, handle).complete();
  } finally {
    await handle.close();
  }
  // Another process may have been faster.
  if (existsSync(part) || !existsSync(job.blob)) renameSync(part, job.blob);
}

/** A file on its way: bytes that are there, and their hash. */
class PartialFile {
  readonly #job: Download;
  readonly #handle: FileHandle;
  #hash: Hash;
  #length = 0;

  constructor(job: Download, handle: FileHandle) {
    this.#job = job;
    this.#handle = handle;
    this.#hash = emptyHash(job.file);
  }

  async complete(): Promise<void> {
    const { client, file, signal } = this.#job;
    await this.#readWhatIsThere();
    const patience = { maxFailures: MAX_FAILURES, delayMs: client.settings.retryDelayMs, signal };
    if (this.#length < file.bytes)
      await patiently(
        () => this.#fetchRest(),
        patience,
        () => this.#length,
      );
    await this.#handle.datasync();
    if (this.#length === file.bytes && this.#hash.digest('hex') === file.checksum.hex) return;
    rmSync(partialBlob(this.#job.blob), { force: true });
    throw new AloftError(
      'DOWNLOAD_CORRUPT',
      `${file.path} came from ${client.settings.endpoint} with other bytes than its checksum says, and was removed; pull it again.`,
    );
  }

  async #readWhatIsThere(): Promise<void> {
    const { size } = await this.#handle.stat();
    if (size > this.#job.file.bytes) return this.#handle.truncate(0);
    const buffer = Buffer.alloc(READ_BYTES);
    while (this.#length < size) {
      const { bytesRead } = await this.#handle.read(buffer, 0, READ_BYTES, this.#length);
      if (bytesRead === 0) return;
      this.#take(buffer.subarray(0, bytesRead));
    }
  }

  async #fetchRest(): Promise<void> {
    const { client, file, signal } = this.#job;
    const quiet = new Silence(client.settings.timeoutMs);
    try {
      const response = await client.file(
        { ...this.#job, path: file.path },
        this.#length,
        AbortSignal.any([quiet.signal, signal]),
      );
      if (response.status !== 206) this.#startAgain();
      for await (const chunk of response.body ?? []) {
        quiet.heard();
        await this.#write(chunk as Uint8Array);
        if (this.#length > file.bytes) return;
      }
    } catch (fault) {
      throw this.#interruption(fault, quiet.signal.aborted);
    } finally {
      quiet.end();
    }
    if (this.#length < file.bytes) throw this.#interruption(new Error('the connection ended early'), false);
  }

  /** A connection that broke on the way may be made again; other faults stay as they are. */
  #interruption(fault: unknown, isSilent: boolean): unknown {
    const { client, file, signal } = this.#job;
    if (fault instanceof AloftError || signal.aborted || isSystemFault(fault)) return fault;
    const reason = isSilent ? `nothing came for ${client.settings.timeoutMs / 1000} s` : reasonOf(fault);
    return new PassingFault(
      `The download of ${file.path} from ${client.settings.endpoint} broke at ${this.#length} of ${file.bytes} bytes: ${reason}; pull again, and it goes on from there.`,
      { cause: fault },
    );
  }

  /** For a hub that sends all bytes where the rest was asked for. */
  #startAgain(): void {
    if (this.#length === 0) return;
    this.#job.onBytes(-this.#length);
    this.#length = 0;
    this.#hash = emptyHash(this.#job.file);
  }

  async #write(chunk: Uint8Array): Promise<void> {
    for (let done = 0; done < chunk.length;) {
      const { bytesWritten } = await this.#handle.write(
        chunk,
        done,
        chunk.length - done,
        this.#length + done,
      );
      done += bytesWritten;
    }
    this.#take(chunk);
    this.#job.onBytes(chunk.length);
  }

  #take(bytes: Uint8Array): void {
    this.#hash.update(bytes);
    this.#length += bytes.length;
  }
}

/** git's hash of a blob begins with its kind and length. */
function emptyHash({ checksum, bytes }: RemoteFile): Hash {
  return checksum.type === 'sha256' ? createHash('sha256') : createHash('sha1').update(`blob ${bytes}\0`);
}

/** Aborts its signal when nothing was heard for a time. */
class Silence {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;

  constructor(limitMs: number) {
    this.#timer = setTimeout(() => this.#controller.abort(), limitMs);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  heard(): void {
    this.#timer.refresh();
  }

  end(): void {
    clearTimeout(this.#timer);
  }
}
