/** GGUF files for tests, version 3. */
import { writeFileSync } from 'node:fs';

export type GgufMetadataValue = number | boolean | string | readonly string[] | readonly number[];

export interface GgufTestTensor {
  /** Rows before columns. */
  readonly shape: readonly number[];
  /** Number of the type. */
  readonly type: number;
  readonly bytes: Uint8Array;
}

const ALIGNMENT = 32;

/** @param metadata whole numbers are written as u32, others as f32, in arrays as i32 and f32 */
export function writeGgufFile(
  path: string,
  metadata: Readonly<Record<string, GgufMetadataValue>>,
  tensors: ReadonlyMap<string, GgufTestTensor>,
): void {
  const header = new Parts();
  header.bytes(Buffer.from('GGUF'));
  header.u32(3);
  header.u64(tensors.size);
  header.u64(Object.keys(metadata).length);
  for (const [key, value] of Object.entries(metadata)) {
    header.string(key);
    writeValue(header, value);
  }
  const data = new Parts();
  for (const [name, { shape, type, bytes }] of tensors) {
    header.string(name);
    header.u32(shape.length);
    for (const size of shape.toReversed()) header.u64(size);
    header.u32(type);
    header.u64(data.byteLength);
    data.bytes(bytes);
    data.pad(ALIGNMENT);
  }
  header.pad(ALIGNMENT);
  writeFileSync(path, Buffer.concat([header.whole(), data.whole()]));
}

function writeValue(to: Parts, value: GgufMetadataValue): void {
  if (typeof value === 'string') {
    to.u32(8);
    to.string(value);
  } else if (typeof value === 'boolean') {
    to.u32(7);
    to.bytes(Buffer.from([value ? 1 : 0]));
  } else if (typeof value === 'number') {
    to.u32(Number.isInteger(value) ? 4 : 6);
    if (Number.isInteger(value)) to.u32(value);
    else to.f32(value);
  } else writeArray(to, value);
}

function writeArray(to: Parts, values: readonly string[] | readonly number[]): void {
  to.u32(9);
  const isText = typeof values[0] === 'string';
  const isWhole = !isText && values.every((value) => Number.isInteger(value));
  to.u32(isText ? 8 : isWhole ? 5 : 6);
  to.u64(values.length);
  for (const value of values) {
    if (typeof value === 'string') to.string(value);
    else if (isWhole) to.u32(value);
    else to.f32(value);
  }
}

class Parts {
  byteLength = 0;
  readonly #parts: Uint8Array[] = [];

  bytes(part: Uint8Array): void {
    this.#parts.push(part);
    this.byteLength += part.length;
  }

  u32(value: number): void {
    const part = Buffer.alloc(4);
    part.writeUInt32LE(value);
    this.bytes(part);
  }

  u64(value: number): void {
    const part = Buffer.alloc(8);
    part.writeBigUInt64LE(BigInt(value));
    this.bytes(part);
  }

  f32(value: number): void {
    const part = Buffer.alloc(4);
    part.writeFloatLE(value);
    this.bytes(part);
  }

  string(text: string): void {
    const bytes = Buffer.from(text, 'utf8');
    this.u64(bytes.length);
    this.bytes(bytes);
  }

  pad(multiple: number): void {
    this.bytes(Buffer.alloc((multiple - (this.byteLength % multiple)) % multiple));
  }

  whole(): Uint8Array {
    return Buffer.concat(this.#parts);
  }
}
