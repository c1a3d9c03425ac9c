/** C structs that TypeScript fills for kernels. A table names their fields; a test compares it with the kernels' source. */
import { addressOf } from '../ffi/memory.js';

/** Size and alignment of each type of field in bytes. An address is a pointer, or a `uint64_t` that holds one. */
const FIELD_TYPES = {
  address: [8, 8],
  u64: [8, 8],
  i64: [8, 8],
  f64: [8, 8],
  i32: [4, 4],
  f32: [4, 4],
  tensorMap: [128, 64],
} as const;

export type FieldType = keyof typeof FIELD_TYPES;
export type StructFields = Readonly<Record<string, FieldType>>;
/** Numbers are integers below 2^53 but for `f32` and `f64`. A tensor map that a kernel does not read may be undefined. */
export type FieldValue = number | bigint | Uint8Array | undefined;
export type StructValues<F extends StructFields> = {
  readonly [K in keyof F]: F[K] extends 'tensorMap'
    ? Uint8Array | undefined
    : F[K] extends 'u64'
      ? number | bigint
      : number;
};

export type FieldsOfStruct<S> = S extends Struct<infer F> ? F : never;
export type ValuesOf<S> = StructValues<FieldsOfStruct<S>>;

/** One field of a struct and where it lies. */
export interface StructField {
  readonly name: string;
  readonly type: FieldType;
  readonly offset: number;
}

/** A struct and the values of its fields. */
export interface StructValue {
  readonly struct: Struct;
  readonly values: Readonly<Record<string, FieldValue>>;
}

/** The layout of a C struct on 64-bit machines: fields in order, each aligned to its size. */
export class Struct<F extends StructFields = StructFields> {
  /** Name in the source. */
  readonly name: string;
  /** Source that declares it, by its path in src/ops. */
  readonly file: string;
  readonly fields: readonly StructField[];
  readonly alignment: number;
  readonly byteLength: number;
  readonly #named: ReadonlyMap<string, StructField>;

  /** @param types types by the names of fields, in the order of the declaration */
  constructor(name: string, file: string, types: F) {
    const fields: StructField[] = [];
    let [end, largest] = [0, 1];
    for (const [field, type] of Object.entries(types)) {
      const [bytes, alignment] = FIELD_TYPES[type];
      const offset = roundUp(end, alignment);
      fields.push({ name: field, type, offset });
      [end, largest] = [offset + bytes, Math.max(largest, alignment)];
    }
    this.name = name;
    this.file = file;
    this.fields = fields;
    this.#named = new Map(fields.map((field) => [field.name, field]));
    this.alignment = largest;
    this.byteLength = roundUp(end, largest);
  }

  of(values: StructValues<F>): StructValue {
    return { struct: this, values };
  }

  /** Writes all fields into memory, from byte `at` of it on. */
  write(memory: StructMemory, at: number, values: Readonly<Record<string, FieldValue>>): void {
    const { fields } = this;
    for (let i = 0; i < fields.length; i++) {
      const { name, type, offset } = fields[i]!;
      writeField(memory, at + offset, type, values[name]);
    }
  }

  /** Writes some fields, and leaves the others as they are. */
  update(memory: StructMemory, at: number, values: Readonly<Record<string, FieldValue>>): void {
    for (const name in values) {
      const { type, offset } = this.#named.get(name)!;
      writeField(memory, at + offset, type, values[name]);
    }
  }
}

/** Structs of one kind, one after the other, in memory that kernels read by its address. It lives as long as this object. */
export class StructArray<F extends StructFields = StructFields> {
  readonly address: number;
  readonly #struct: Struct<F>;
  readonly #memory: StructMemory;

  /** All fields are zero at first. */
  constructor(struct: Struct<F>, count: number) {
    this.#struct = struct;
    this.#memory = structMemory(new ArrayBuffer(count * struct.byteLength));
    this.address = addressOf(this.#memory.bytes);
  }

  /** Sets some fields of a struct and leaves the others as they are. */
  set(index: number, values: Partial<StructValues<F>>): void {
    this.#struct.update(this.#memory, index * this.#struct.byteLength, values);
  }
}

/** Memory that structs are written into: one buffer, seen in two ways. */
export interface StructMemory {
  readonly view: DataView;
  readonly bytes: Uint8Array;
}

export function structMemory(buffer: ArrayBuffer): StructMemory {
  return { view: new DataView(buffer), bytes: new Uint8Array(buffer) };
}

function writeField({ view, bytes }: StructMemory, at: number, type: FieldType, value: FieldValue): void {
  switch (type) {
    case 'i32':
      return view.setInt32(at, value as number, true);
    case 'f32':
      return view.setFloat32(at, value as number, true);
    case 'f64':
      return view.setFloat64(at, value as number, true);
    case 'tensorMap':
      return bytes.set((value as Uint8Array | undefined) ?? NO_TENSOR_MAP, at);
    default:
      if (typeof value === 'bigint') view.setBigUint64(at, BigInt.asUintN(64, value), true);
      else writeInteger(view, at, value as number);
  }
}

/** Two halves are faster than a BigInt. */
function writeInteger(view: DataView, at: number, value: number): void {
  view.setUint32(at, value >>> 0, true);
  view.setInt32(at + 4, Math.floor(value / 2 ** 32), true);
}

const NO_TENSOR_MAP = new Uint8Array(FIELD_TYPES.tensorMap[0]);

function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}
