/** Element types of tensors, their sizes and the conversions that host code needs. */

export type DType = 'f32' | 'f16' | 'bf16' | 'f8e4m3' | 'i8' | 'u8' | 'i32' | 'i64';

/** Bytes of one element. */
export const BYTES_PER_ELEMENT: Readonly<Record<DType, number>> = {
  f32: 4,
  f16: 2,
  bf16: 2,
  f8e4m3: 1,
  i8: 1,
  u8: 1,
  i32: 4,
  i64: 8,
};

/** `--dtype` names as TensorRT-LLM and Hugging Face spell them. */
export type PrecisionName = 'float32' | 'float16' | 'bfloat16';

export const PRECISION_DTYPE: Readonly<Record<PrecisionName, 'f32' | 'f16' | 'bf16'>> = {
  float32: 'f32',
  float16: 'f16',
  bfloat16: 'bf16',
};

/** Names that `--kv_cache_dtype` accepts besides `auto`. */
export const KV_CACHE_NAMES = ['float16', 'bfloat16', 'float32', 'int8', 'fp8'] as const;
export type KvCacheName = (typeof KV_CACHE_NAMES)[number];

export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, dim) => product * dim, 1);
}

export function tensorBytes(dtype: DType, shape: readonly number[]): number {
  return elementCount(shape) * BYTES_PER_ELEMENT[dtype];
}

const scratchFloat = new Float32Array(1);
const scratchBits = new Uint32Array(scratchFloat.buffer);

/** IEEE binary16 bits -> number. Exact. */
export function halfToFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** number -> IEEE binary16 bits, round to nearest even; overflow becomes infinity. */
export function floatToHalf(value: number): number {
  scratchFloat[0] = value;
  const bits = scratchBits[0]!;
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x477ff000) return sign | 0x7c00; // rounds to 65536 or more
  if (magnitude < 0x38800000) {
    // Subnormal half: a count of 2^-24 steps.
    return sign | roundHalfToEven(Math.abs(scratchFloat[0]) * 2 ** 24);
  }
  const rounded = magnitude + 0xfff + ((magnitude >>> 13) & 1);
  return sign | ((rounded - 0x38000000) >>> 13);
}

/** Nearest integer, halves to the even one, as the hardware rounds. */
export function roundHalfToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? floor + 1 : floor;
}

/** FP8 E4M3 bits -> number. Exact. Source: OCP 8-bit Floating Point Specification (OFP8), revision 1.0. */
export function e4m3ToFloat(bits: number): number {
  const sign = bits & 0x80 ? -1 : 1;
  const exponent = (bits >> 3) & 15;
  const fraction = bits & 7;
  if (exponent === 15 && fraction === 7) return NaN;
  return sign * (exponent === 0 ? fraction * 2 ** -9 : (1 + fraction / 8) * 2 ** (exponent - 7));
}

/** number -> FP8 E4M3 bits, round to nearest even; beyond 448 is 448. */
export function floatToE4m3(value: number): number {
  scratchFloat[0] = value;
  const bits = scratchBits[0]!;
  const sign = (bits >>> 24) & 0x80;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7f;
  // Subnormal: a count of 2^-9 steps.
  if (magnitude < 0x3c800000) return sign | roundHalfToEven(Math.abs(scratchFloat[0]) * 2 ** 9);
  const rounded = magnitude + 0x7ffff + ((magnitude >>> 20) & 1);
  return sign | Math.min((rounded - 0x3c000000) >>> 20, 0x7e);
}

/** bfloat16 bits -> number. Exact. */
export function bfloat16ToFloat(bits: number): number {
  scratchBits[0] = bits << 16;
  return scratchFloat[0]!;
}

/** number -> bfloat16 bits, round to nearest even. */
export function floatToBfloat16(value: number): number {
  scratchFloat[0] = value;
  const bits = scratchBits[0]!;
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 0x40;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}
