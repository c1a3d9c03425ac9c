/** CRC-32 over fixed chunks: cheap enough to check on every start (2 GB/s a core), and it names the damaged place. */
import { crc32 } from 'node:zlib';
import { CHECKSUM_CHUNK_BYTES } from './format.js';

const HEX_DIGITS = 8;
const hex = (value: number): string => value.toString(16).padStart(HEX_DIGITS, '0');

export function chunkCount(dataBytes: number): number {
  return Math.ceil(dataBytes / CHECKSUM_CHUNK_BYTES);
}

/** Zeros in the number of digits that the checksums of `dataBytes` take, to reserve their place in a header. */
export function blankChecksums(dataBytes: number): string {
  return '0'.repeat(HEX_DIGITS * chunkCount(dataBytes));
}

export function checksum(bytes: Uint8Array): string {
  return hex(crc32(bytes));
}

/** Takes a stream of bytes and returns one checksum a chunk. */
export class ChunkChecksums {
  readonly #done: string[] = [];
  #current = 0;
  #filledBytes = 0;

  update(bytes: Uint8Array): void {
    for (let offset = 0; offset < bytes.length;) {
      const take = Math.min(bytes.length - offset, CHECKSUM_CHUNK_BYTES - this.#filledBytes);
      this.#current = crc32(bytes.subarray(offset, offset + take), this.#current);
      this.#filledBytes += take;
      offset += take;
      if (this.#filledBytes === CHECKSUM_CHUNK_BYTES) this.#close();
    }
  }

  digest(): string {
    if (this.#filledBytes > 0) this.#close();
    return this.#done.join('');
  }

  #close(): void {
    this.#done.push(hex(this.#current));
    [this.#current, this.#filledBytes] = [0, 0];
  }
}

/** Indices of the chunks whose checksum does not match. @param stride 1 checks all; n checks every n-th and the last */
export function damagedChunks(
  read: (offset: number, length: number) => Uint8Array,
  dataBytes: number,
  expected: string,
  stride: number,
): number[] {
  const damaged: number[] = [];
  const last = chunkCount(dataBytes) - 1;
  for (let index = 0; index <= last; index++) {
    if (index % stride !== 0 && index !== last) continue;
    const begin = index * CHECKSUM_CHUNK_BYTES;
    const bytes = read(begin, Math.min(CHECKSUM_CHUNK_BYTES, dataBytes - begin));
    if (checksum(bytes) !== expected.slice(index * HEX_DIGITS, (index + 1) * HEX_DIGITS)) damaged.push(index);
  }
  return damaged;
}
