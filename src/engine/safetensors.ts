/**
 * The safetensors container: an 8-byte little-endian header length, a JSON header, then tensor bytes without holes.
 * Source: https://github.com/huggingface/safetensors#format
 */
import type { DType } from '../core/dtype.js';

/** Dtype names of the format, and how many bits an element takes. */
const BITS_PER_ELEMENT: Readonly<Record<string, number>> = {
  F64: 64, F32: 32, F16: 16, BF16: 16, F8_E4M3: 8, F8_E5M2: 8, F8_E8M0: 8, F4: 4,
  I64: 64, I32: 32, I16: 16, I8: 8, U64: 64, U32: 32, U16: 16, U8: 8, BOOL: 8, C64: 64,
}; // prettier-ignore

const CODE_OF_DTYPE: Readonly<Record<DType, string>> = {
  f32: 'F32',
  f16: 'F16',
  bf16: 'BF16',
  f8e4m3: 'F8_E4M3',
  i8: 'I8',
  u8: 'U8',
  i32: 'I32',
  i64: 'I64',
};
const DTYPE_OF_CODE = new Map(
  Object.entries(CODE_OF_DTYPE).map(([dtype, code]) => [code, dtype as DType] as const),
);

/** Headers beyond this are refused, as the reference implementation does. */
const MAX_HEADER_BYTES = 100_000_000;

export interface SafetensorsEntry {
  /** Published name: `F16`, `BF16`, ... */
  readonly code: string;
  readonly shape: readonly number[];
  /** Byte range [begin, end) within the data part. */
  readonly begin: number;
  readonly end: number;
}

export interface SafetensorsHeader {
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: ReadonlyMap<string, SafetensorsEntry>;
  /** Offset of the data part in the file. */
  readonly dataStart: number;
}

/** Our dtype for a published code, or undefined when Aloft has none (BOOL, F64, ...). */
export function dtypeOfCode(code: string): DType | undefined {
  return DTYPE_OF_CODE.get(code);
}

export function codeOfDtype(dtype: DType): string {
  return CODE_OF_DTYPE[dtype];
}

/** A file to read a header from: its length and a view of a range. */
export interface ByteSource {
  readonly byteLength: number;
  bytes(offset: number, length: number): Uint8Array;
}

/**
 * Reads and checks the header: every range lies inside the file and has the size that its shape and dtype ask for.
 * @param fail called with what is wrong, as a clause ("it is truncated: ..."); must throw
 */
export function parseSafetensors(file: ByteSource, fail: (fault: string) => never): SafetensorsHeader {
  if (file.byteLength < 8) fail(`it has ${file.byteLength} bytes, fewer than a safetensors header`);
  const length = Number(Buffer.from(file.bytes(0, 8)).readBigUInt64LE());
  if (length > MAX_HEADER_BYTES) fail('it does not start with a safetensors header');
  const dataStart = 8 + length;
  if (dataStart > file.byteLength)
    fail(`it is truncated: the header ends at byte ${dataStart}, the file at ${file.byteLength}`);
  const { __metadata__: metadata, ...entries } = parseHeaderJson(file.bytes(8, length), fail);
  const dataBytes = file.byteLength - dataStart;
  const tensors = new Map<string, SafetensorsEntry>();
  for (const [name, value] of Object.entries(entries))
    tensors.set(name, checkedEntry(name, value, dataBytes, fail));
  checkTiling(tensors, dataBytes, fail);
  checkMetadata(metadata, fail);
  return { metadata: (metadata ?? {}) as Record<string, string>, tensors, dataStart };
}

/** The tensors are the data part, without holes and without two in one place, as the reference implementation demands. */
function checkTiling(
  tensors: ReadonlyMap<string, SafetensorsEntry>,
  dataBytes: number,
  fail: (fault: string) => never,
): void {
  let end = 0;
  for (const [name, entry] of [...tensors].toSorted(([, a], [, b]) => a.begin - b.begin || a.end - b.end)) {
    if (entry.begin < end) fail(`tensor '${name}' begins inside of another`);
    if (entry.begin > end) fail(`there is a hole of ${entry.begin - end} bytes before tensor '${name}'`);
    end = entry.end;
  }
  if (end < dataBytes) fail(`${dataBytes - end} bytes behind its last tensor belong to none`);
}

function checkMetadata(metadata: unknown, fail: (fault: string) => never): void {
  if (metadata === undefined || metadata === null) return;
  const isMap = typeof metadata === 'object' && !Array.isArray(metadata);
  if (!isMap || !Object.values(metadata).every((value) => typeof value === 'string'))
    fail(`its '__metadata__' is not a map of strings`);
}

/** Entries hold lists; nothing is deeper. A header of brackets would take the parser minutes and all memory. */
const HEADER_DEPTH = 4;

/** True if brackets outside of strings are nested deeper. */
function isDeeperThan(json: Uint8Array, limit: number): boolean {
  let depth = 0;
  let isInString = false;
  for (let i = 0; i < json.length; i++) {
    const byte = json[i]!;
    if (byte === 0x5c && isInString) i++;
    else if (byte === 0x22) isInString = !isInString;
    else if (isInString) continue;
    else if (byte === 0x7b || byte === 0x5b) depth++;
    else if (byte === 0x7d || byte === 0x5d) depth--;
    if (depth > limit) return true;
  }
  return false;
}

function parseHeaderJson(bytes: Uint8Array, fail: (fault: string) => never): Record<string, unknown> {
  if (isDeeperThan(bytes, HEADER_DEPTH)) fail('its safetensors header is nested too deeply');
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    fail('its safetensors header is not valid JSON');
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    fail('its safetensors header is not an object');
  return parsed as Record<string, unknown>;
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

function checkedEntry(
  name: string,
  value: unknown,
  dataBytes: number,
  fail: (fault: string) => never,
): SafetensorsEntry {
  const { dtype, shape, data_offsets: range } = (value ?? {}) as Record<string, unknown>;
  const wellFormed =
    typeof dtype === 'string' &&
    Array.isArray(shape) &&
    shape.every(isCount) &&
    Array.isArray(range) &&
    range.length === 2 &&
    range.every(isCount);
  if (!wellFormed) fail(`the header entry of tensor '${name}' is malformed`);
  const [begin, end] = range as [number, number];
  if (end < begin) fail(`tensor '${name}' ends before it begins`);
  if (end > dataBytes)
    fail(`it is truncated: tensor '${name}' ends at data byte ${end}, the data at ${dataBytes}`);
  const bits = BITS_PER_ELEMENT[dtype];
  if (bits === undefined) fail(`tensor '${name}' has the unknown dtype '${dtype}'`);
  const elements = shape.reduce((product, dim) => product * dim, 1);
  if ((elements * bits) / 8 !== end - begin)
    fail(`tensor '${name}' takes ${end - begin} bytes, its shape and dtype need ${(elements * bits) / 8}`);
  return { code: dtype, shape: shape, begin, end };
}

export interface NamedTensorSpec {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/** The header bytes, length prefix included, padded with spaces so that the data starts at a multiple of `alignment`. */
export function encodeSafetensorsHeader(
  tensors: ReadonlyMap<string, SafetensorsEntry>,
  metadata: Readonly<Record<string, string>>,
  alignment: number,
): Uint8Array {
  const header: Record<string, unknown> = { __metadata__: metadata };
  for (const [name, { code, shape, begin, end }] of tensors)
    header[name] = { dtype: code, shape, data_offsets: [begin, end] };
  const json = Buffer.from(JSON.stringify(header), 'utf8');
  const bytes = Buffer.alloc(Math.ceil((8 + json.length) / alignment) * alignment, ' ');
  bytes.writeBigUInt64LE(BigInt(bytes.length - 8));
  json.copy(bytes, 8);
  return bytes;
}
