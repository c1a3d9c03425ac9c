/**
 * Types of tensors in GGUF files, and the numbers that their blocks stand for. Source: the block structures of ggml
 * (github.com/ggml-org/ggml, facts of the format).
 */
import { type DType, halfToFloat } from '../../core/dtype.js';

export interface GgufType {
  readonly name: string;
  readonly blockValues: number;
  readonly blockBytes: number;
  /** Type that needs no conversion; null for blocks. */
  readonly dtype: DType | null;
  /** Writes the values of the block at `from` to `out` at `to`. Absent where nothing is converted. */
  readonly decode?: DecodeBlock;
}

type DecodeBlock = (bytes: Uint8Array, from: number, out: Float32Array, to: number) => void;

const halfAt = (bytes: Uint8Array, at: number): number => halfToFloat(bytes[at]! | (bytes[at + 1]! << 8));
const signed = (byte: number): number => (byte << 24) >> 24;

/** 32 values of 8 bits behind a scale. */
const decodeQ8_0: DecodeBlock = (bytes, from, out, to) => {
  const scale = halfAt(bytes, from);
  for (let i = 0; i < 32; i++) out[to + i] = scale * signed(bytes[from + 2 + i]!);
};

/** 32 values of 4 bits behind a scale: the low halves of 16 bytes, then the high ones; 8 is zero. */
const decodeQ4_0: DecodeBlock = (bytes, from, out, to) => {
  const scale = halfAt(bytes, from);
  for (let i = 0; i < 16; i++) {
    const byte = bytes[from + 2 + i]!;
    out[to + i] = scale * ((byte & 15) - 8);
    out[to + 16 + i] = scale * ((byte >> 4) - 8);
  }
};

/** Scale and minimum, 6 bits each, of one of the eight groups of a block of Q4_K or Q5_K; `at`: their twelve bytes. */
function groupScale(bytes: Uint8Array, at: number, group: number): readonly [scale: number, minimum: number] {
  const byte = (i: number): number => bytes[at + i]!;
  if (group < 4) return [byte(group) & 63, byte(group + 4) & 63];
  return [
    (byte(group + 4) & 15) | ((byte(group - 4) >> 6) << 4),
    (byte(group + 4) >> 4) | ((byte(group) >> 6) << 4),
  ];
}

/**
 * 256 values in eight groups of 32, each with a scale and a minimum that is subtracted: the low halves of 32 bytes, then the
 * high ones. Q5_K has a fifth bit of each value apart: bit g of byte i is that of value i of group g.
 */
function decodeGroups(hasFifthBits: boolean): DecodeBlock {
  return (bytes, from, out, to) => {
    const [scale, minimum] = [halfAt(bytes, from), halfAt(bytes, from + 2)];
    const fifth = from + 16;
    const values = fifth + (hasFifthBits ? 32 : 0);
    for (let group = 0; group < 8; group++) {
      const [own, ownMinimum] = groupScale(bytes, from + 4, group);
      const [factor, offset] = [scale * own, minimum * ownMinimum];
      for (let i = 0; i < 32; i++) {
        const byte = bytes[values + (group >> 1) * 32 + i]!;
        let code = group % 2 === 0 ? byte & 15 : byte >> 4;
        if (hasFifthBits) code += ((bytes[fifth + i]! >> group) & 1) << 4;
        out[to + group * 32 + i] = factor * code - offset;
      }
    }
  };
}

/** 256 values of 6 bits in sixteen groups of 16 with a scale of 8 bits each; 32 is zero. */
const decodeQ6_K: DecodeBlock = (bytes, from, out, to) => {
  const scale = halfAt(bytes, from + 208);
  for (let half = 0; half < 2; half++) {
    const [low, high, scales] = [from + half * 64, from + 128 + half * 32, from + 192 + half * 8];
    for (let part = 0; part < 4; part++) {
      for (let i = 0; i < 32; i++) {
        const byte = bytes[low + (part % 2) * 32 + i]!;
        const lowBits = part < 2 ? byte & 15 : byte >> 4;
        const highBits = (bytes[high + i]! >> (2 * part)) & 3;
        const own = signed(bytes[scales + 2 * part + (i >> 4)]!);
        out[to + half * 128 + part * 32 + i] = scale * own * ((lowBits | (highBits << 4)) - 32);
      }
    }
  }
};

const dense = (name: string, dtype: DType, blockBytes: number): GgufType => ({
  name,
  blockValues: 1,
  blockBytes,
  dtype,
});
const blocks = (name: string, blockValues: number, blockBytes: number, decode: DecodeBlock): GgufType => ({
  name,
  blockValues,
  blockBytes,
  dtype: null,
  decode,
});

/** Supported types by their numbers in files. */
export const GGUF_TYPES: ReadonlyMap<number, GgufType> = new Map([
  [0, dense('F32', 'f32', 4)],
  [1, dense('F16', 'f16', 2)],
  [2, blocks('Q4_0', 32, 18, decodeQ4_0)],
  [8, blocks('Q8_0', 32, 34, decodeQ8_0)],
  [12, blocks('Q4_K', 256, 144, decodeGroups(false))],
  [13, blocks('Q5_K', 256, 176, decodeGroups(true))],
  [14, blocks('Q6_K', 256, 210, decodeQ6_K)],
  [30, dense('BF16', 'bf16', 2)],
]);

/** The values of a tensor of blocks. @param out as many as the blocks hold */
export function decodeBlocks(
  { blockBytes, blockValues, decode }: GgufType,
  bytes: Uint8Array,
  out: Float32Array,
): void {
  for (let block = 0; block * blockBytes < bytes.length; block++)
    decode!(bytes, block * blockBytes, out, block * blockValues);
}
