/** Writes GGUF version 3: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md */
import { closeSync, openSync, writeSync } from 'node:fs';

const ALIGNMENT_BYTES = 32;

/** Tensor types by their number in the format. A block is the unit that rows are made of. */
export const GGUF_TYPES = {
  F32: { id: 0, blockValues: 1, blockBytes: 4 },
  F16: { id: 1, blockValues: 1, blockBytes: 2 },
  Q4_0: { id: 2, blockValues: 32, blockBytes: 18 },
  Q8_0: { id: 8, blockValues: 32, blockBytes: 34 },
  Q4_K: { id: 12, blockValues: 256, blockBytes: 144 },
};

const VALUE_TYPES = { u32: 4, i32: 5, f32: 6, bool: 7, string: 8, array: 9, u64: 10 };

/** Growing little-endian buffer. */
class Writer {
  #chunks = [];
  byteLength = 0;

  bytes(buffer) {
    this.#chunks.push(buffer);
    this.byteLength += buffer.length;
  }

  number(method, byteLength, value) {
    const buffer = Buffer.alloc(byteLength);
    buffer[method](value);
    this.bytes(buffer);
  }

  u32(value) {
    this.number('writeUInt32LE', 4, value);
  }

  u64(value) {
    this.number('writeBigUInt64LE', 8, BigInt(value));
  }

  string(text) {
    const buffer = Buffer.from(text);
    this.u64(buffer.length);
    this.bytes(buffer);
  }

  value(type, value) {
    if (type === 'string') this.string(value);
    else if (type === 'f32') this.number('writeFloatLE', 4, value);
    else if (type === 'i32') this.number('writeInt32LE', 4, value);
    else if (type === 'u64') this.u64(value);
    else if (type === 'bool') this.number('writeUInt8', 1, value ? 1 : 0);
    else this.u32(value);
  }

  concat() {
    return Buffer.concat(this.#chunks);
  }
}

const align = (offset) => Math.ceil(offset / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;

export function tensorBytes({ type, shape }) {
  const { blockValues, blockBytes } = GGUF_TYPES[type];
  return (shape.reduce((product, dim) => product * dim, 1) / blockValues) * blockBytes;
}

/**
 * @param path file to write
 * @param metadata list of [key, type, value]; type 'array:<type>' takes a list
 * @param tensors list of { name, type, shape, data() }: shape row-major (outermost first), data() the encoded bytes
 */
export function writeGguf(path, metadata, tensors) {
  const header = new Writer();
  header.bytes(Buffer.from('GGUF'));
  header.u32(3);
  header.u64(tensors.length);
  header.u64(metadata.length);
  for (const [key, type, value] of metadata) {
    header.string(key);
    const elementType = /^array:(\w+)$/.exec(type)?.[1];
    if (elementType === undefined) {
      header.u32(VALUE_TYPES[type]);
      header.value(type, value);
      continue;
    }
    header.u32(VALUE_TYPES.array);
    header.u32(VALUE_TYPES[elementType]);
    header.u64(value.length);
    for (const element of value) header.value(elementType, element);
  }
  let offset = 0;
  for (const tensor of tensors) {
    header.string(tensor.name);
    header.u32(tensor.shape.length);
    for (const dim of tensor.shape.toReversed()) header.u64(dim);
    header.u32(GGUF_TYPES[tensor.type].id);
    header.u64(offset);
    offset = align(offset + tensorBytes(tensor));
  }

  const file = openSync(path, 'w');
  try {
    const dataStart = align(header.byteLength);
    writeAll(file, header.concat(), 0);
    let position = dataStart;
    for (const tensor of tensors) {
      const data = tensor.data();
      if (data.length !== tensorBytes(tensor))
        throw new Error(`${tensor.name}: ${data.length} bytes encoded`);
      writeAll(file, data, position);
      position = align(position + data.length);
    }
  } finally {
    closeSync(file);
  }
}

function writeAll(file, data, position) {
  for (let at = 0; at < data.length;) at += writeSync(file, data, at, data.length - at, position + at);
}
