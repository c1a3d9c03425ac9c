/**
 * Types of tensors in GGUF files, and the numbers that their blocks stand for. Source: the block structures of ggml
 * (github.com/ggml-org/ggml, facts of the format).
 */
import { type DType, halfToFloat } from '../../core/dtype.js';
import { int4Format, type QuantisedFormat } from '../../plan/weight-format.js';

export interface GgufType {
  readonly name: string;
  readonly blockValues: number;
  readonly blockBytes: number;
  /** Type that needs no conversion; null for blocks. */
  readonly dtype: DType | null;
  /** Writes the values of the block at `from` to `out` at `to`. Absent where nothing is converted. */
  readonly decode?: DecodeBlock;
  /** Present where a block is a group of a format of ours. */
  readonly coded?: CodedBlocks;
}

interface CodedBlocks {
  readonly format: QuantisedFormat;
  /** Writes the codes of the block at `from` to `out` at `to`, and returns its scale as bits of f16. */
  readonly read: (bytes: Uint8Array, from: number, out: Int8Array, to: number) => number;
}

type DecodeBlock = (bytes: Uint8Array, from: number, out: Float32Array, to: number) => void;

const halfBitsAt = (bytes: Uint8Array, at: number): number => bytes[at]! | (bytes[at + 1]! << 8);
const halfAt = (bytes: Uint8Array, at: number): number => halfToFloat(halfBitsAt(bytes, at));
const signed = (byte: number): number => (byte << 24) >> 24;

/** 32 values of 8 bits behind a scale. */
const decodeQ8_0: DecodeBlock = (bytes, from, out, to) => {
  const scale = halfAt(bytes, from);
  for (let i = 0; i < 32; i++) out[to + i] = scale * signed(bytes[from + 2 + i]!);
};

/** 32 codes of 4 bits: the low halves of 16 bytes, then the high ones. */
function readHalves(bytes: Uint8Array, from: number, out: Int8Array | Float32Array, to: number): void {
  for (let i = 0; i < 16; i++) {
    const byte = bytes[from + i]!;
    out[to + i] = byte & 15;
    out[to + 16 + i] = byte >> 4;
  }
}

/** 32 values of 4 bits behind a scale; 8 is zero. */
const CODED_Q4_0: CodedBlocks = {
  format: int4Format(32, false),
  read(bytes, from, out, to) {
    readHalves(bytes, from + 2, out, to);
    for (let i = to; i < to + 32; i++) out[i]! -= 8;
    return halfBitsAt(bytes, from);
  },
};

const decodeQ4_0: DecodeBlock = (bytes, from, out, to) => {
  const scale = halfAt(bytes, from);
  readHalves(bytes, from + 2, out, to);
  for (let i = to; i < to + 32; i++) out[i] = scale * (out[i]! - 8);
};

/** The same behind a scale and a minimum that is added. */
const decodeQ4_1: DecodeBlock = (bytes, from, out, to) => {
  const [scale, minimum] = [halfAt(bytes, from), halfAt(bytes, from + 2)];
  readHalves(bytes, from + 4, out, to);
  for (let i = to; i < to + 32; i++) out[i] = scale * out[i]! + minimum;
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
  [2, { ...blocks('Q4_0', 32, 18, decodeQ4_0), coded: CODED_Q4_0 }],
  [3, blocks('Q4_1', 32, 20, decodeQ4_1)],
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

/** The codes of a tensor of coded blocks, and their scales as bits of f16. @param out as many as the blocks hold */
export function readCodedBlocks(
  { blockBytes, blockValues, coded }: GgufType,
  bytes: Uint8Array,
  out: { readonly codes: Int8Array; readonly scales: Uint16Array },
): void {
  for (let block = 0; block < out.scales.length; block++)
    out.scales[block] = coded!.read(bytes, block * blockBytes, out.codes, block * blockValues);
}
