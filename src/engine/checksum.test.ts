import { expect, test } from 'vitest';
import { blankChecksums, checksum, ChunkChecksums, damagedChunks } from './checksum.js';
import { CHECKSUM_CHUNK_BYTES } from './format.js';

const CHUNKS = 5;
const data = new Uint8Array((CHUNKS - 1) * CHECKSUM_CHUNK_BYTES + 10).map((_, i) => i % 253);
const read = (at: number, length: number) => data.subarray(at, at + length);

test('checksums do not depend on how the stream is cut', () => {
  const whole = new ChunkChecksums();
  whole.update(data);
  const digest = whole.digest();
  const cut = new ChunkChecksums();
  for (let at = 0; at < data.length; at += 3_000_001) cut.update(data.subarray(at, at + 3_000_001));
  expect(cut.digest()).toBe(digest);
  expect(digest).toHaveLength(blankChecksums(data.length).length);
  expect(digest.slice(0, 8)).toBe(checksum(data.subarray(0, CHECKSUM_CHUNK_BYTES)));
});

test('is the CRC-32 of ISO 3309: the check value of "123456789"', () => {
  expect(checksum(Buffer.from('123456789'))).toBe('cbf43926');
});

test('finds every damaged chunk; a stride looks at every n-th and the last', () => {
  const sums = new ChunkChecksums();
  sums.update(data);
  const digest = sums.digest();
  expect(damagedChunks(read, data.length, digest, 1)).toEqual([]);
  for (const index of [1, 4]) data[index * CHECKSUM_CHUNK_BYTES]! ^= 4;
  expect(damagedChunks(read, data.length, digest, 1)).toEqual([1, 4]);
  expect(damagedChunks(read, data.length, digest, 3)).toEqual([4]);
  for (const index of [1, 4]) data[index * CHECKSUM_CHUNK_BYTES]! ^= 4;
});
