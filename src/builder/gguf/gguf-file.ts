/** Reads the header of a GGUF file, versions 2 and 3. Format: docs/gguf.md of github.com/ggml-org/ggml (facts of the format). */
import { AloftError } from '../../core/errors.js';
import { type HostArea, mapFile } from '../../ffi/memory.js';
import { GGUF_TYPES, type GgufType } from './blocks.js';

export type GgufValue = number | bigint | boolean | string | readonly GgufValue[];

export interface GgufTensor {
  /** Rows before columns, as everywhere here; the file has them the other way round. */
  readonly shape: readonly number[];
  /** Name of the type, such as `Q4_K`; `type 16` for one without support. */
  readonly typeName: string;
  readonly type: GgufType | undefined;
  /** From the start of the file. */
  readonly offset: number;
  readonly byteLength: number;
}

export interface GgufFile {
  readonly path: string;
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: ReadonlyMap<string, GgufTensor>;
  readonly area: HostArea;
}

const MAGIC = 0x46554747; // 'GGUF'
const DEFAULT_ALIGNMENT = 32;
/** Far more than vocabularies with their merges take. A view of a whole file would be too long. */
const MAX_HEADER_BYTES = 1 << 30;
/** Values of all metadata: more than the largest vocabularies take with scores, types and merges. */
const MAX_VALUES = 1 << 22;
/** More than the layers of any model have, and dimensions of a tensor as ggml has them. */
const MAX_TENSORS = 1 << 16;
const MAX_RANK = 4;
const STRING = 8;
const ARRAY = 9;

/** @throws {AloftError} CHECKPOINT_CORRUPT, FILE_UNREADABLE */
export function openGgufFile(path: string): GgufFile {
  const area = mapFile(path);
  try {
    return parse(path, area);
  } catch (thrown) {
    area.dispose();
    if (!(thrown instanceof RangeError)) throw thrown;
    const fault = thrown instanceof HeaderFault ? thrown.message : 'it ends within its header';
    throw damaged(path, fault, thrown);
  }
}

/** A number of the header that cannot be meant. */
class HeaderFault extends RangeError {}

function damaged(path: string, fault: string, cause?: unknown): AloftError {
  return new AloftError('CHECKPOINT_CORRUPT', `${path} is damaged: ${fault}. Download it again.`, { cause });
}

function parse(path: string, area: HostArea): GgufFile {
  const reader = new Reader(area.bytes(0, Math.min(area.byteLength, MAX_HEADER_BYTES)), area.byteLength);
  if (reader.u32() !== MAGIC) throw damaged(path, 'it does not begin as a GGUF file');
  const version = reader.u32();
  if (version !== 2 && version !== 3)
    throw damaged(path, `its version is ${version}, and versions 2 and 3 are known`);
  const [tensorCount, entryCount] = [reader.count(), reader.count()];
  if (tensorCount > MAX_TENSORS) throw damaged(path, `it has ${tensorCount} tensors`);
  const metadata = new Map<string, GgufValue>();
  for (let i = 0; i < entryCount; i++) {
    const key = reader.string();
    metadata.set(key, reader.value(reader.u32()));
    if (reader.valueCount > MAX_VALUES)
      throw damaged(path, `its metadata have more than ${MAX_VALUES} values`);
  }
  const entries = Array.from({ length: tensorCount }, () => readEntry(reader));
  const alignment = metadata.get('general.alignment') ?? DEFAULT_ALIGNMENT;
  if (typeof alignment !== 'number' || !Number.isInteger(alignment) || alignment < 1)
    throw damaged(path, `its alignment is ${String(alignment)}`);
  const dataStart = Math.ceil(reader.position / alignment) * alignment;
  const tensors = new Map(
    entries.map(({ name, offset, ...tensor }) => [name, { ...tensor, offset: dataStart + offset }]),
  );
  for (const [name, { offset, byteLength, shape, type }] of tensors) {
    if ((shape.at(-1) ?? 1) % (type?.blockValues ?? 1) !== 0)
      throw damaged(
        path,
        `rows of ${shape.at(-1)} in tensor '${name}' are not whole blocks of ${type?.name}`,
      );
    if (offset + byteLength > area.byteLength) throw damaged(path, `it ends before tensor '${name}' does`);
  }
  return { path, metadata, tensors, area };
}

function readEntry(reader: Reader): GgufTensor & { readonly name: string } {
  const name = reader.string();
  const rank = reader.u32();
  if (rank > MAX_RANK) throw new HeaderFault(`it has a tensor of ${rank} dimensions`);
  const sizes = Array.from({ length: rank }, () => reader.count());
  const code = reader.u32();
  const type = GGUF_TYPES.get(code);
  const count = sizes.reduce((product, size) => product * size, 1);
  return {
    name,
    shape: sizes.toReversed(),
    typeName: type?.name ?? `type ${code}`,
    type,
    offset: reader.count(),
    byteLength: type === undefined ? 0 : (count / type.blockValues) * type.blockBytes,
  };
}

/** Numbers of a file, little endian. Reading past the end is a RangeError. */
class Reader {
  position = 0;
  /** Values that were read, or begun to be. */
  valueCount = 0;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #fileBytes: number;

  /** @param bytes the begin of the file */
  constructor(bytes: Uint8Array, fileBytes: number) {
    this.#bytes = bytes;
    this.#fileBytes = fileBytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  u32(): number {
    return this.#take(4, (at) => this.#view.getUint32(at, true));
  }

  /** A number of 64 bits that counts something in memory. */
  count(): number {
    const value = this.#take(8, (at) => this.#view.getBigUint64(at, true));
    if (value > BigInt(this.#fileBytes)) throw new RangeError('more than the file can hold');
    return Number(value);
  }

  string(): string {
    const length = this.count();
    return this.#take(length, (at) => Buffer.from(this.#bytes.subarray(at, at + length)).toString('utf8'));
  }

  value(type: number): GgufValue {
    const view = this.#view;
    this.valueCount++;
    switch (type) {
      case 0:
        return this.#take(1, (at) => view.getUint8(at));
      case 1:
        return this.#take(1, (at) => view.getInt8(at));
      case 2:
        return this.#take(2, (at) => view.getUint16(at, true));
      case 3:
        return this.#take(2, (at) => view.getInt16(at, true));
      case 4:
        return this.u32();
      case 5:
        return this.#take(4, (at) => view.getInt32(at, true));
      case 6:
        return this.#take(4, (at) => view.getFloat32(at, true));
      case 7:
        return this.#take(1, (at) => view.getUint8(at) !== 0);
      case STRING:
        return this.string();
      case ARRAY:
        return this.#array();
      case 10:
        return this.#take(8, (at) => view.getBigUint64(at, true));
      case 11:
        return this.#take(8, (at) => view.getBigInt64(at, true));
      case 12:
        return this.#take(8, (at) => view.getFloat64(at, true));
      default:
        throw new RangeError(`a value of type ${type}`);
    }
  }

  #array(): readonly GgufValue[] {
    const type = this.u32();
    const length = this.count();
    if (this.valueCount + length > MAX_VALUES)
      throw new HeaderFault(`its metadata have an array of ${length} values`);
    return Array.from({ length }, () => this.value(type));
  }

  #take<T>(byteLength: number, read: (at: number) => T): T {
    const at = this.position;
    if (at + byteLength > this.#bytes.length) throw new RangeError('past the end');
    this.position = at + byteLength;
    return read(at);
  }
}
