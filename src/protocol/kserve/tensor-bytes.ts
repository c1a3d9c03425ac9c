/**
 * Raw tensor contents: little-endian row-major elements without padding; a BYTES element is a 4-byte little-endian
 * length followed by its bytes (Triton's binary tensor data extension). All supported hosts are little-endian.
 */
import { AloftError } from '../../core/errors.js';
import { beyondLimit, REQUEST_LIMITS } from '../../core/request-limits.js';
import { ELEMENT_BYTES, type Datatype } from './datatype.js';
import { arrayOver, type Tensor, type TensorData } from './tensor.js';

/** Bytes of a tensor's raw form. */
export function rawBytes(tensor: Tensor): Uint8Array {
  const { data } = tensor;
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const bytes = Buffer.allocUnsafe(rawLength(tensor));
  writeRaw(tensor, bytes, 0);
  return bytes;
}

/** Number of bytes of a tensor's raw form. */
export function rawLength(tensor: Tensor): number {
  const { texts } = tensor;
  if (texts !== undefined) return texts.reduce((sum, text) => sum + 4 + Buffer.byteLength(text), 0);
  const { data } = tensor;
  if (ArrayBuffer.isView(data)) return data.byteLength;
  let total = 0;
  for (const element of data) total += 4 + element.length;
  return total;
}

/** @returns the place behind the raw form */
export function writeRaw(tensor: Tensor, bytes: Buffer, start: number): number {
  let at = start;
  const { texts } = tensor;
  if (texts !== undefined) {
    for (const text of texts) at = writeText(text, bytes, at);
    return at;
  }
  const { data } = tensor;
  // Most tensors of a stream are one small number, and a view over it would cost more than the copy.
  if (data instanceof Int32Array && data.length <= FEW_ELEMENTS) {
    for (let i = 0; i < data.length; i++) at = bytes.writeInt32LE(data[i]!, at);
    return at;
  }
  if (ArrayBuffer.isView(data)) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    return at + data.byteLength;
  }
  for (const element of data) {
    at = bytes.writeUInt32LE(element.length, at);
    bytes.set(element, at);
    at += element.length;
  }
  return at;
}

const FEW_ELEMENTS = 8;

function writeText(text: string, bytes: Buffer, at: number): number {
  const length = bytes.write(text, at + 4);
  bytes.writeUInt32LE(length, at);
  return at + 4 + length;
}

/**
 * Elements from their raw form. Numeric arrays are views over `bytes` when those are aligned.
 * @throws {AloftError} REQUEST_INVALID when the bytes are not whole elements.
 */
export function dataFromRaw(name: string, datatype: Datatype, bytes: Uint8Array): TensorData {
  if (datatype === 'BYTES') return byteElements(name, bytes);
  if (bytes.length % ELEMENT_BYTES[datatype] !== 0) {
    throw new AloftError(
      'REQUEST_INVALID',
      `The ${bytes.length} bytes of input '${name}' are not a whole number of ${datatype} elements.`,
    );
  }
  return arrayOver(datatype, bytes);
}

function byteElements(name: string, bytes: Uint8Array): Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const elements: Uint8Array[] = [];
  let offset = 0;
  while (offset < bytes.length) {
    const length = offset + 4 <= bytes.length ? view.getUint32(offset, true) : Infinity;
    if (offset + 4 + length > bytes.length) {
      throw new AloftError(
        'REQUEST_INVALID',
        `Element ${elements.length} of BYTES input '${name}' is cut off: each element is a 4-byte length and its bytes.`,
      );
    }
    const count = elements.push(bytes.subarray(offset + 4, offset + 4 + length));
    if (count > REQUEST_LIMITS.bytesElements.max) throw beyondLimit('bytesElements', `Input '${name}'`);
    offset += 4 + length;
  }
  return elements;
}
