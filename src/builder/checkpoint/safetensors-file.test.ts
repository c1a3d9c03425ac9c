import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { faultOf } from '../testing/fault.js';
import { tinyTensors, withDirectory, writeSafetensors } from '../testing/tiny-checkpoint.js';
import { openSafetensorsFile } from './safetensors-file.js';

const HEADER = (json: unknown, dataBytes = 0): Buffer => {
  const text = Buffer.from(JSON.stringify(json));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, Buffer.alloc(dataBytes)]);
};

test('reads every tensor as it was written, in all three types', async () => {
  await withDirectory((directory) => {
    for (const dtype of ['f32', 'f16', 'bf16'] as const) {
      const path = join(directory, dtype);
      const tensors = tinyTensors(undefined, dtype);
      writeSafetensors(path, tensors);
      const file = openSafetensorsFile(path);
      expect(file.names).toEqual(Array.from(tensors.keys()));
      for (const [name, { shape, bytes }] of tensors) {
        expect(file.info(name)).toMatchObject({ file: path, shape, dtype });
        expect(Buffer.from(file.read(name).bytes)).toEqual(Buffer.from(bytes));
      }
      file.dispose();
    }
  });
});

test('copies tensors that lie at odd addresses', async () => {
  await withDirectory((directory) => {
    const path = join(directory, 'odd');
    let header = HEADER({ a: { dtype: 'F32', shape: [1], data_offsets: [0, 4] } });
    if (header.length % 2 === 0) header = HEADER({ ab: { dtype: 'F32', shape: [1], data_offsets: [0, 4] } });
    writeFileSync(path, Buffer.concat([header, Buffer.from(Float32Array.of(1.5).buffer)]));
    const file = openSafetensorsFile(path);
    const { bytes } = file.read(file.names[0]!);
    expect(new Float32Array(bytes.buffer, bytes.byteOffset, 1)[0]).toBe(1.5);
    file.dispose();
  });
});

test.each([
  [
    'a truncated file',
    HEADER({ a: { dtype: 'F32', shape: [4], data_offsets: [0, 16] } }, 12),
    /truncated: tensor 'a'/,
  ],
  ['a truncated header', HEADER({ a: 1 }).subarray(0, 10), /truncated: the header ends/],
  ['a file of a few bytes', Buffer.from('abc'), /3 bytes/],
  [
    'something else',
    Buffer.from('not a safetensors file at all'),
    /does not start with a safetensors header/,
  ],
  ['bad JSON', Buffer.concat([Buffer.from([2, 0, 0, 0, 0, 0, 0, 0]), Buffer.from('{x')]), /not valid JSON/],
  ['an array header', HEADER([1]), /not an object/],
  ['a malformed entry', HEADER({ a: { dtype: 'F32' } }), /entry of tensor 'a' is malformed/],
  ['a negative size', HEADER({ a: { dtype: 'F32', shape: [-1], data_offsets: [0, 4] } }, 4), /malformed/],
  ['a wrong size', HEADER({ a: { dtype: 'F32', shape: [2], data_offsets: [0, 4] } }, 8), /takes 4 bytes/],
  ['a reversed range', HEADER({ a: { dtype: 'F32', shape: [1], data_offsets: [4, 0] } }, 8), /ends before/],
  [
    'an unknown dtype',
    HEADER({ a: { dtype: 'X7', shape: [1], data_offsets: [0, 1] } }, 1),
    /unknown dtype 'X7'/,
  ],
])('refuses %s, naming the file', async (_, bytes, message) => {
  await withDirectory((directory) => {
    const path = join(directory, 'model.safetensors');
    writeFileSync(path, bytes);
    const fault = faultOf(() => openSafetensorsFile(path));
    expect(fault.code).toBe('CHECKPOINT_CORRUPT');
    expect(fault.message).toMatch(message);
    expect(fault.message).toContain(path);
  });
});

test('any truncation of a real file is found', async () => {
  await withDirectory((directory) => {
    const path = join(directory, 'model.safetensors');
    writeSafetensors(path, tinyTensors());
    for (const cut of [1, 1000, 10_000]) {
      truncateSync(path, readFileSync(path).length - cut);
      expect(faultOf(() => openSafetensorsFile(path)).message).toMatch(/truncated/);
    }
  });
});
