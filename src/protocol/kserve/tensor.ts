/** Typed tensors as every front end and the request mapping see them. */
import { AloftError } from '../../core/errors.js';
import { ELEMENT_BYTES, type Datatype } from './datatype.js';

/** Elements in row-major order. FP16 and BF16 are kept as their bits, BOOL as 0 and 1. */
export type TensorData =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | BigUint64Array
  | BigInt64Array
  | Float32Array
  | Float64Array
  /** BYTES */
  | readonly Uint8Array[];

export interface Tensor {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  readonly data: TensorData;
  /** The elements of BYTES as text, where they were made of it. */
  readonly texts?: readonly string[];
}

type NumericArray = Exclude<TensorData, readonly Uint8Array[]>;

const ARRAYS: Readonly<
  Record<
    Exclude<Datatype, 'BYTES'>,
    {
      new (length: number): NumericArray;
      new (buffer: ArrayBuffer, byteOffset?: number, length?: number): NumericArray;
    }
  >
> = {
  BOOL: Uint8Array,
  UINT8: Uint8Array,
  UINT16: Uint16Array,
  UINT32: Uint32Array,
  UINT64: BigUint64Array,
  INT8: Int8Array,
  INT16: Int16Array,
  INT32: Int32Array,
  INT64: BigInt64Array,
  FP16: Uint16Array,
  FP32: Float32Array,
  FP64: Float64Array,
  BF16: Uint16Array,
};

/** A zeroed array for `count` elements. */
export function allocate(datatype: Exclude<Datatype, 'BYTES'>, count: number): NumericArray {
  // By its length: V8 keeps small arrays that have no buffer of their own on its heap.
  return new ARRAYS[datatype](count);
}

/** Numbers or booleans as a tensor; bigint types take either. */
export function numberTensor(
  name: string,
  datatype: Exclude<Datatype, 'BYTES'>,
  shape: readonly number[],
  values: readonly (number | bigint | boolean)[],
): Tensor {
  const data = allocate(datatype, values.length);
  if (data instanceof BigUint64Array || data instanceof BigInt64Array) {
    for (let i = 0; i < values.length; i++) data[i] = BigInt(values[i]!);
  } else {
    for (let i = 0; i < values.length; i++) data[i] = Number(values[i]!);
  }
  return { name, datatype, shape, data };
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function textTensor(name: string, shape: readonly number[], values: readonly string[]): Tensor {
  return new TextTensor(name, shape, values);
}

/** Encodes its text only for those who ask for bytes: JSON does not. */
class TextTensor implements Tensor {
  readonly datatype = 'BYTES';
  readonly name: string;
  readonly shape: readonly number[];
  readonly texts: readonly string[];

  constructor(name: string, shape: readonly number[], texts: readonly string[]) {
    this.name = name;
    this.shape = shape;
    this.texts = texts;
  }

  get data(): readonly Uint8Array[] {
    return this.texts.map((text) => encoder.encode(text));
  }
}

/** @throws {AloftError} REQUEST_INVALID when the tensor is not BYTES. */
export function texts(tensor: Tensor): string[] {
  if (!Array.isArray(tensor.data)) throw wrongType(tensor, 'BYTES');
  return tensor.data.map((bytes: Uint8Array) => decoder.decode(bytes));
}

/** @throws {AloftError} REQUEST_INVALID when the tensor is BYTES. */
export function numbers(tensor: Tensor): number[] {
  if (Array.isArray(tensor.data)) throw wrongType(tensor, 'a number type');
  return Array.from<number | bigint, number>(tensor.data as Float64Array, Number);
}

/** @throws {AloftError} REQUEST_INVALID when the tensor is BYTES. */
export function bigints(tensor: Tensor): bigint[] {
  if (Array.isArray(tensor.data)) throw wrongType(tensor, 'an integer type');
  return Array.from<number | bigint, bigint>(tensor.data as Float64Array, (value) => BigInt(value));
}

/** Elements of a shape. */
export function elementsOf(shape: readonly number[]): number {
  return shape.reduce((product, dim) => product * dim, 1);
}

function wrongType(tensor: Tensor, wanted: string): AloftError {
  return new AloftError(
    'REQUEST_INVALID',
    `Input '${tensor.name}' is of type ${tensor.datatype}, but ${wanted} is needed.`,
  );
}

/** The array of a numeric tensor over existing bytes; copies when they are not aligned. */
export function arrayOver(datatype: Exclude<Datatype, 'BYTES'>, bytes: Uint8Array): NumericArray {
  const elementBytes = ELEMENT_BYTES[datatype];
  // Not `slice`: a Buffer's shares its memory.
  const aligned = bytes.byteOffset % elementBytes === 0 ? bytes : new Uint8Array(bytes);
  return new ARRAYS[datatype](aligned.buffer as ArrayBuffer, aligned.byteOffset, bytes.length / elementBytes);
}
