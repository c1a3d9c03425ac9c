import { closeSync, openSync, writeSync } from 'node:fs';
import { AloftError, invariant } from '../core/errors.js';
import { blankChecksums, ChunkChecksums, checksum } from './checksum.js';
import { DATA_ALIGNMENT_BYTES, layOutTensors, PADDING_PREFIX, type RankFileMetadata } from './format.js';
import { encodeSafetensorsHeader, type NamedTensorSpec, type SafetensorsEntry } from './safetensors.js';

/** One write call takes less than 2 GiB; smaller pieces also keep the checksum in cache. */
const WRITE_BYTES = 8 << 20;

export interface FinishedRankFile {
  readonly bytes: number;
  readonly headerChecksum: string;
}

/** Writes one `.engine` file, tensor by tensor in the order of its specs, so that no more than one is in memory. */
export class RankFileWriter {
  readonly #path: string;
  readonly #file: number;
  readonly #entries: ReadonlyMap<string, SafetensorsEntry>;
  readonly #metadata: Omit<RankFileMetadata, 'chunk_crc32'>;
  readonly #pending: { readonly name: string; readonly entry: SafetensorsEntry }[];
  readonly #checksums = new ChunkChecksums();
  readonly #dataBytes: number;
  readonly #headerBytes: number;
  #writtenBytes = 0;

  constructor(
    path: string,
    specs: readonly NamedTensorSpec[],
    metadata: Omit<RankFileMetadata, 'chunk_crc32'>,
  ) {
    const { tensors, dataBytes } = layOutTensors(specs);
    this.#path = path;
    this.#entries = tensors;
    this.#metadata = metadata;
    this.#dataBytes = dataBytes;
    this.#pending = Array.from(tensors, ([name, entry]) => ({ name, entry })).toReversed();
    this.#headerBytes = this.#header(blankChecksums(dataBytes)).length;
    this.#file = openSync(path, 'wx');
  }

  /** Appends the next tensor. */
  write(name: string, bytes: Uint8Array): void {
    let next = this.#pending.pop();
    if (next?.name.startsWith(PADDING_PREFIX)) {
      this.#append(new Uint8Array(next.entry.end - next.entry.begin));
      next = this.#pending.pop();
    }
    const expected = next;
    invariant(
      expected?.name === name && expected.entry.end - expected.entry.begin === bytes.length,
      () => `${this.#path}: wrote '${name}' of ${bytes.length} bytes where ${expected?.name} is due`,
    );
    this.#append(bytes);
  }

  /** Completes the header. */
  finish(): FinishedRankFile {
    invariant(
      this.#pending.length === 0,
      () => `${this.#path}: ${this.#pending.at(-1)?.name} was not written`,
    );
    const header = this.#header(this.#checksums.digest());
    invariant(header.length === this.#headerBytes, () => `${this.#path}: the header changed its length`);
    this.#writeAt(header, 0);
    closeSync(this.#file);
    return { bytes: this.#headerBytes + this.#dataBytes, headerChecksum: checksum(header) };
  }

  /** Closes an unfinished file. */
  abandon(): void {
    closeSync(this.#file);
  }

  #header(checksums: string): Uint8Array {
    const metadata = { ...this.#metadata, chunk_crc32: checksums };
    return encodeSafetensorsHeader(this.#entries, metadata, DATA_ALIGNMENT_BYTES);
  }

  #append(bytes: Uint8Array): void {
    for (let offset = 0; offset < bytes.length; offset += WRITE_BYTES) {
      const piece = bytes.subarray(offset, offset + WRITE_BYTES);
      this.#checksums.update(piece);
      this.#writeAt(piece, this.#headerBytes + this.#writtenBytes);
      this.#writtenBytes += piece.length;
    }
  }

  #writeAt(bytes: Uint8Array, position: number): void {
    try {
      for (let done = 0; done < bytes.length;)
        done += writeSync(this.#file, bytes, done, bytes.length - done, position + done);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new AloftError(
        'OUTPUT_FAILED',
        `Cannot write ${this.#path}: ${reason}. Free disk space or choose another output directory.`,
        { cause },
      );
    }
  }
}
