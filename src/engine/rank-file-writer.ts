import { closeSync, openSync } from 'node:fs';
import { invariant } from '../core/errors.js';
import { blankChecksums, ChunkChecksums, checksum } from './checksum.js';
import {
  DATA_ALIGNMENT_BYTES,
  layOutTensors,
  PADDING_PREFIX,
  type RankFileMetadata,
  TENSOR_ALIGNMENT_BYTES,
} from './format.js';
import { encodeSafetensorsHeader, type NamedTensorSpec, type SafetensorsEntry } from './safetensors.js';
import { writeBytes } from './write-bytes.js';

export interface FinishedRankFile {
  readonly bytes: number;
  readonly headerChecksum: string;
}

/** Writes one `.engine` file, tensor by tensor in the order of its specs, so that no more than one is in memory. */
export class RankFileWriter {
  readonly #path: string;
  readonly #fd: number;
  readonly #entries: ReadonlyMap<string, SafetensorsEntry>;
  readonly #metadata: Omit<RankFileMetadata, 'chunk_crc32'>;
  readonly #pending: { readonly name: string; readonly entry: SafetensorsEntry }[];
  readonly #checksums = new ChunkChecksums();
  readonly #dataBytes: number;
  readonly #headerBytes: number;
  #writtenBytes = 0;
  #open = true;

  constructor(
    path: string,
    specs: readonly NamedTensorSpec[],
    metadata: Omit<RankFileMetadata, 'chunk_crc32'>,
  ) {
    const { tensors, dataBytes } = layOutTensors(specs, TENSOR_ALIGNMENT_BYTES);
    this.#path = path;
    this.#entries = tensors;
    this.#metadata = metadata;
    this.#dataBytes = dataBytes;
    this.#pending = Array.from(tensors, ([name, entry]) => ({ name, entry })).toReversed();
    this.#headerBytes = this.#header(blankChecksums(dataBytes)).length;
    this.#fd = openSync(path, 'wx');
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
    writeBytes({ fd: this.#fd, path: this.#path }, header, 0);
    this.close();
    return { bytes: this.#headerBytes + this.#dataBytes, headerChecksum: checksum(header) };
  }

  /** Closes the file, finished or not. */
  close(): void {
    if (this.#open) closeSync(this.#fd);
    this.#open = false;
  }

  #header(checksums: string): Uint8Array {
    const metadata = { ...this.#metadata, chunk_crc32: checksums };
    return encodeSafetensorsHeader(this.#entries, metadata, DATA_ALIGNMENT_BYTES);
  }

  #append(bytes: Uint8Array): void {
    this.#checksums.update(bytes);
    writeBytes({ fd: this.#fd, path: this.#path }, bytes, this.#headerBytes + this.#writtenBytes);
    this.#writtenBytes += bytes.length;
  }
}
