/** Tensor contents as JSON values. */
import { AloftError } from '../../core/errors.js';
import { REQUEST_LIMITS } from '../../core/request-limits.js';
import type { JsonValue } from '../json.js';
import type { Datatype } from './datatype.js';
import { allocate, elementsOf, type Tensor, type TensorData } from './tensor.js';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Half of a character, which a stop string may leave; bytes have U+FFFD in its place. */
const LONE_SURROGATE = /\p{Surrogate}/gu;

/** Inclusive value ranges of the integer types. */
const RANGES: Readonly<Partial<Record<Datatype, readonly [bigint, bigint]>>> = {
  UINT8: [0n, 255n],
  UINT16: [0n, 65_535n],
  UINT32: [0n, 4_294_967_295n],
  UINT64: [0n, 2n ** 64n - 1n],
  INT8: [-128n, 127n],
  INT16: [-32_768n, 32_767n],
  INT32: [-(2n ** 31n), 2n ** 31n - 1n],
  INT64: [-(2n ** 63n), 2n ** 63n - 1n],
};

/**
 * The elements of a `data` member: a flat array, or one nested as the shape says.
 * @throws {AloftError} REQUEST_INVALID on a value of another type, out of range, or a wrong nesting.
 */
export function dataFromJson(
  name: string,
  datatype: Datatype,
  shape: readonly number[],
  value: JsonValue,
): TensorData {
  const flat: JsonValue[] = [];
  flatten(name, value, shape, flat);
  return dataFromValues(name, datatype, flat);
}

/** The elements of a flat list of JSON values. Messages are Triton's. */
export function dataFromValues(name: string, datatype: Datatype, values: readonly JsonValue[]): TensorData {
  if (datatype === 'FP16' || datatype === 'BF16') {
    throw fault(
      `receiving ${datatype} data via JSON is not supported. Please use the binary data format for input '${name}'`,
    );
  }
  if (datatype === 'BYTES') {
    return values.map((value) => {
      if (typeof value === 'string') return encoder.encode(value);
      throw mismatch(name, 'non-string as string');
    });
  }
  const data = allocate(datatype, values.length);
  for (const [i, value] of values.entries()) {
    const element = elementOf(name, datatype, value);
    data[i] =
      data instanceof BigInt64Array || data instanceof BigUint64Array ? BigInt(element) : Number(element);
  }
  return data;
}

/**
 * The elements of a tensor as JSON values, flat.
 * @throws {AloftError} REQUEST_TOO_LARGE for more than the limit, REQUEST_INVALID for types that JSON does not carry
 */
export function valuesOf(tensor: Tensor): readonly JsonValue[] {
  const { texts, datatype } = tensor;
  requireSmall(tensor);
  if (texts !== undefined) return texts.map((text) => text.replaceAll(LONE_SURROGATE, '\uFFFD'));
  const { data } = tensor;
  if (datatype === 'FP16' || datatype === 'BF16') {
    throw fault(
      `sending ${datatype} data via JSON is not supported. Please use the binary data format for '${tensor.name}'`,
    );
  }
  if (!ArrayBuffer.isView(data)) return data.map((element) => decoder.decode(element));
  if (datatype === 'BOOL') return Array.from(data as Uint8Array, (value) => value !== 0);
  return Array.from<number | bigint, number | bigint>(data as Float64Array, (value) => value);
}

/** JSON of a million numbers would keep everybody waiting; raw bytes cost nothing. */
function requireSmall(tensor: Tensor): void {
  const { max } = REQUEST_LIMITS.jsonElements;
  const { name } = tensor;
  const { length } = tensor.texts ?? tensor.data;
  if (length <= max) return;
  throw new AloftError(
    'REQUEST_TOO_LARGE',
    `Output '${name}' has ${length} elements, and JSON carries at most ${max}; ask for it with 'binary_data' in infer, or use gRPC.`,
  );
}

function elementOf(name: string, datatype: Datatype, value: JsonValue): number | bigint {
  if (datatype === 'BOOL') {
    if (typeof value === 'boolean') return value ? 1 : 0;
    throw mismatch(name, 'non-boolean as boolean');
  }
  if (datatype === 'FP32' || datatype === 'FP64') {
    if (typeof value === 'number' || typeof value === 'bigint') return Number(value);
    throw mismatch(name, 'non-number as double');
  }
  const signed = datatype.startsWith('INT');
  const sort = signed ? 'signed-integer' : 'unsigned-integer';
  const isInteger = typeof value === 'bigint' || (typeof value === 'number' && Number.isInteger(value));
  const range = RANGES[datatype];
  if (!isInteger || range === undefined) throw mismatch(name, `non-${sort} as ${sort}`);
  if (BigInt(value) < range[0] || BigInt(value) > range[1]) {
    throw fault(`Unable to parse 'data': ${value} of input '${name}' is outside the range of ${datatype}`);
  }
  return value;
}

function flatten(name: string, value: JsonValue, shape: readonly number[], out: JsonValue[]): void {
  if (!Array.isArray(value)) throw fault(`'data' of input '${name}' must be an array`);
  const list: readonly JsonValue[] = value;
  if (!list.some((item) => Array.isArray(item))) {
    const wanted = elementsOf(shape);
    if (list.length !== wanted) throw shapeFault(name, shape);
    for (const item of list) out.push(item);
    return;
  }
  if (shape.length < 2 || list.length !== shape[0]) throw shapeFault(name, shape);
  for (const item of list) {
    if (!Array.isArray(item)) throw shapeFault(name, shape);
    flatten(name, item, shape.slice(1), out);
  }
}

function shapeFault(name: string, shape: readonly number[]): AloftError {
  return fault(
    `Unable to parse 'data': Shape does not match true shape of 'data' field of input '${name}': expected [${shape.join(',')}]`,
  );
}

function mismatch(name: string, what: string): AloftError {
  return fault(`Unable to parse 'data': attempt to access JSON ${what} (input '${name}')`);
}

function fault(message: string): AloftError {
  return new AloftError('REQUEST_INVALID', message);
}
