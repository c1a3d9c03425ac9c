/** Makes files in the form of `torch.save`, so that the reader can be tested without PyTorch. */
import { crc32 } from 'node:zlib';

/** A value to pickle; only what a file of tensors, honest or not, consists of. */
export type PickleValue =
  | number
  | string
  | boolean
  | null
  | { readonly tuple: readonly PickleValue[] }
  | { readonly dict: readonly (readonly [string, PickleValue])[] }
  | { readonly global: readonly [module: string, name: string] }
  | { readonly call: PickleValue; readonly args: readonly PickleValue[] }
  | { readonly persistent: PickleValue };

/** Protocol 2, as `torch.save` writes it. */
export function pickle(value: PickleValue): Buffer {
  return Buffer.concat([Buffer.from([0x80, 2]), encode(value), Buffer.from('.')]);
}

function encode(value: PickleValue): Buffer {
  if (value === null) return Buffer.from('N');
  if (typeof value === 'boolean') return Buffer.from([value ? 0x88 : 0x89]);
  if (typeof value === 'number') return encodeNumber(value);
  if (typeof value === 'string')
    return Buffer.concat([prefixed('X', Buffer.byteLength(value)), Buffer.from(value)]);
  if ('tuple' in value)
    return Buffer.concat([Buffer.from('('), ...value.tuple.map(encode), Buffer.from('t')]);
  if ('dict' in value) {
    const items = value.dict.flatMap(([key, item]) => [encode(key), encode(item)]);
    return Buffer.concat([Buffer.from('}('), ...items, Buffer.from('u')]);
  }
  if ('global' in value) return Buffer.from(`c${value.global.join('\n')}\n`);
  if ('call' in value)
    return Buffer.concat([encode(value.call), encode({ tuple: value.args }), Buffer.from('R')]);
  return Buffer.concat([encode(value.persistent), Buffer.from('Q')]);
}

function encodeNumber(value: number): Buffer {
  if (value >= 0 && value < 256) return Buffer.from([0x4b, value]);
  const bytes = prefixed('J', 0);
  bytes.writeInt32LE(value, 1);
  return bytes;
}

function prefixed(opcode: string, count: number): Buffer {
  const bytes = Buffer.alloc(5);
  bytes.write(opcode, 'latin1');
  bytes.writeUInt32LE(count, 1);
  return bytes;
}

export interface TorchTensorSpec {
  readonly storage: string;
  readonly key: string;
  readonly elements: number;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

/** The pickle of a tensor. */
export function pickledTensor(spec: TorchTensorSpec): PickleValue {
  const storage = {
    persistent: {
      tuple: ['storage', { global: ['torch', spec.storage] }, spec.key, 'cpu', spec.elements],
    },
  } as const;
  return {
    call: { global: ['torch._utils', '_rebuild_tensor_v2'] },
    args: [
      storage,
      spec.offset,
      { tuple: spec.shape },
      { tuple: spec.strides },
      false,
      { call: { global: ['collections', 'OrderedDict'] }, args: [] },
    ],
  };
}

/** A zip archive of stored entries. @param zip64 puts sizes and offsets into zip64 records, as for archives over 4 GiB */
export function storedZip(entries: readonly (readonly [string, Uint8Array])[], zip64 = false): Buffer {
  const files: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const [name, bytes] of entries) {
    const local = localHeader(name, bytes);
    directory.push(centralHeader(name, bytes, offset, zip64));
    files.push(local, Buffer.from(bytes));
    offset += local.length + bytes.length;
  }
  const central = Buffer.concat(directory);
  return Buffer.concat([...files, central, ...endRecords(entries.length, central.length, offset, zip64)]);
}

function localHeader(name: string, bytes: Uint8Array): Buffer {
  const header = Buffer.alloc(30);
  header.writeUInt32LE(0x04034b50, 0);
  header.writeUInt32LE(crc32(bytes), 14);
  header.writeUInt32LE(bytes.length, 18);
  header.writeUInt32LE(bytes.length, 22);
  header.writeUInt16LE(name.length, 26);
  header.writeUInt16LE(6, 28); // torch pads the local extra field to align the data
  return Buffer.concat([header, Buffer.from(name), Buffer.from('FB\x02\0ZZ', 'latin1')]);
}

function centralHeader(name: string, bytes: Uint8Array, offset: number, zip64: boolean): Buffer {
  const header = Buffer.alloc(46);
  const [size, at] = zip64 ? [0xffffffff, 0xffffffff] : [bytes.length, offset];
  header.writeUInt32LE(0x02014b50, 0);
  header.writeUInt32LE(crc32(bytes), 16);
  header.writeUInt32LE(size, 20);
  header.writeUInt32LE(size, 24);
  header.writeUInt16LE(name.length, 28);
  header.writeUInt32LE(at, 42);
  if (!zip64) return Buffer.concat([header, Buffer.from(name)]);
  const extra = Buffer.alloc(28);
  extra.writeUInt16LE(1, 0);
  extra.writeUInt16LE(24, 2);
  for (const [index, value] of [bytes.length, bytes.length, offset].entries())
    extra.writeBigUInt64LE(BigInt(value), 4 + 8 * index);
  header.writeUInt16LE(extra.length, 30);
  return Buffer.concat([header, Buffer.from(name), extra]);
}

function endRecords(count: number, centralBytes: number, centralStart: number, zip64: boolean): Buffer[] {
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(count, 8);
  end.writeUInt16LE(count, 10);
  end.writeUInt32LE(zip64 ? 0xffffffff : centralBytes, 12);
  end.writeUInt32LE(zip64 ? 0xffffffff : centralStart, 16);
  if (!zip64) return [end];
  const wide = Buffer.alloc(56);
  wide.writeUInt32LE(0x06064b50, 0);
  wide.writeBigUInt64LE(44n, 4);
  wide.writeBigUInt64LE(BigInt(count), 24);
  wide.writeBigUInt64LE(BigInt(count), 32);
  wide.writeBigUInt64LE(BigInt(centralBytes), 40);
  wide.writeBigUInt64LE(BigInt(centralStart), 48);
  const locator = Buffer.alloc(20);
  locator.writeUInt32LE(0x07064b50, 0);
  locator.writeBigUInt64LE(BigInt(centralStart + centralBytes), 8);
  locator.writeUInt32LE(1, 16);
  return [wide, locator, end];
}
