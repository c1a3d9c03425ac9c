/** Reads a Hugging Face directory of f16 safetensors: https://github.com/huggingface/safetensors#format */
import { closeSync, existsSync, openSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';

/** @returns { config, shape(name), halves(name) }: the shape, and the f16 bits, of a tensor */
export function openCheckpoint(directory) {
  const config = JSON.parse(readFileSync(join(directory, 'config.json'), 'utf8'));
  const indexFile = join(directory, 'model.safetensors.index.json');
  const files = existsSync(indexFile)
    ? [...new Set(Object.values(JSON.parse(readFileSync(indexFile, 'utf8')).weight_map))]
    : ['model.safetensors'];
  const tensors = new Map();
  for (const file of files) {
    const path = join(directory, file);
    const headerBytes = Number(read(path, 0, 8).readBigUInt64LE());
    const header = JSON.parse(read(path, 8, headerBytes).toString());
    for (const [name, entry] of Object.entries(header)) {
      if (name !== '__metadata__') tensors.set(name, { ...entry, path, dataStart: 8 + headerBytes });
    }
  }
  const entryOf = (name) => {
    const entry = tensors.get(name);
    if (entry === undefined) throw new Error(`${directory} lacks the tensor ${name}`);
    if (entry.dtype !== 'F16')
      throw new Error(`${entry.path}: ${name} is ${entry.dtype}; this converter reads F16`);
    return entry;
  };
  return {
    config,
    shape: (name) => entryOf(name).shape,
    halves(name) {
      const { path, dataStart, data_offsets: offsets } = entryOf(name);
      const bytes = read(path, dataStart + offsets[0], offsets[1] - offsets[0]);
      return new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2);
    },
  };
}

function read(path, position, byteLength) {
  const buffer = Buffer.from(new ArrayBuffer(byteLength));
  const file = openSync(path, 'r');
  try {
    for (let at = 0; at < byteLength;) {
      const count = readSync(file, buffer, at, Math.min(byteLength - at, 2 ** 30), position + at);
      if (count === 0) throw new Error(`${path} is truncated`);
      at += count;
    }
  } finally {
    closeSync(file);
  }
  return buffer;
}
