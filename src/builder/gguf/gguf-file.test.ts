/** GGUF files of strangers: each is read or refused with a code, and none is read outside of itself. */
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { AloftError } from '../../core/errors.js';
import { faultOf } from '../testing/fault.js';
import { type GgufMetadataValue, type GgufTestTensor, writeGgufFile } from '../testing/gguf-writer.js';
import { openGguf } from './open-gguf.js';

let folder: string;
let path: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'aloft-gguf-test-'));
  path = join(folder, 'model.gguf');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const METADATA: Readonly<Record<string, GgufMetadataValue>> = {
  'general.architecture': 'llama',
  'llama.block_count': 1,
  'llama.embedding_length': 32,
  'llama.attention.head_count': 1,
  'llama.attention.head_count_kv': 1,
  'llama.feed_forward_length': 32,
  'llama.context_length': 64,
  'llama.attention.layer_norm_rms_epsilon': 1e-5,
  'llama.vocab_size': 3,
  'tokenizer.ggml.model': 'llama',
  'tokenizer.ggml.tokens': ['a', 'b', 'c'],
  'tokenizer.ggml.scores': [0.5, 0.25, 0.125],
  'tokenizer.ggml.token_type': [1, 1, 1],
};
const EMBEDDING: GgufTestTensor = { shape: [3, 32], type: 0, bytes: new Uint8Array(3 * 32 * 4) };

function write(
  metadata: Readonly<Record<string, GgufMetadataValue>>,
  tensors: Readonly<Record<string, GgufTestTensor>> = { 'token_embd.weight': EMBEDDING },
): void {
  writeGgufFile(path, { ...METADATA, ...metadata }, new Map(Object.entries(tensors)));
}

/** Opens the file and reads all of its tensors. */
function readAll(): void {
  const { tensors } = openGguf(path);
  try {
    for (const name of tensors.names) tensors.read(name);
  } finally {
    tensors.dispose();
  }
}

test('the file that the others are made from is read', () => {
  write({});
  expect(readAll).not.toThrow();
});

test.each<[string, Readonly<Record<string, GgufMetadataValue>>]>([
  ['its alignment is 0', { 'general.alignment': 0 }],
  ['its alignment is 3.5', { 'general.alignment': 3.5 }],
  ['its alignment is x', { 'general.alignment': 'x' }],
  [
    'an array of 4194305 values',
    { 'tokenizer.ggml.token_type': Array.from({ length: (1 << 22) + 1 }, () => 1) },
  ],
])('damaged: %s', (message, metadata) => {
  write(metadata);
  expect(faultOf(readAll)).toMatchObject({
    code: 'CHECKPOINT_CORRUPT',
    message: expect.stringContaining(message),
  });
});

test.each<[string, GgufTestTensor]>([
  ['of blocks without a dimension', { shape: [], type: 2, bytes: new Uint8Array(32) }],
  ['of five dimensions', { shape: [1, 1, 1, 1, 32], type: 0, bytes: new Uint8Array(128) }],
  ['behind the file', { shape: [1000, 32], type: 0, bytes: new Uint8Array(128) }],
])('a tensor %s is refused', (_, tensor) => {
  write({}, { 'token_embd.weight': tensor });
  expect(faultOf(readAll)).toMatchObject({ code: 'CHECKPOINT_CORRUPT' });
});

test('files with a few numbers changed are read, or refused with a code, and leave nothing behind', () => {
  write({});
  const valid = readFileSync(path);
  const directories = () => readdirSync(tmpdir()).filter((name) => /^aloft-gguf-(?!test)/.test(name));
  const before = new Set(directories());
  let seed = 7;
  const random = (limit: number) => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return (seed >>> 8) % limit;
  };
  const wide = [0n, 1n, 500n, 2n ** 31n, 2n ** 53n, 2n ** 63n - 1n, 2n ** 64n - 1n];
  for (let i = 0; i < 1000; i++) {
    const bytes = Buffer.from(valid);
    const at = random(bytes.length - EMBEDDING.bytes.length - 8);
    if (i % 3 === 0) bytes.writeBigUInt64LE(wide[random(wide.length)]!, at);
    else if (i % 3 === 1) bytes.writeUInt32LE([0, 1, 8, 9, 0x7fffffff, 0xffffffff][random(6)]!, at);
    else bytes[at] = random(256);
    writeFileSync(path, bytes);
    try {
      readAll();
    } catch (error) {
      expect(error, `${i}`).toBeInstanceOf(AloftError);
      expect((error as AloftError).code).not.toBe('INTERNAL');
    }
  }
  expect(directories().filter((name) => !before.has(name))).toEqual([]);
});
