/** f16 values to the tensor types of GGUF. */

const scratchFloat = new Float32Array(1);
const scratchBits = new Uint32Array(scratchFloat.buffer);

const halfValues = Float32Array.from({ length: 65536 }, (_, bits) => {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
});

/** Rounds to nearest even; for normal halves and zero only, which scales of Q8_0 blocks are. */
function normalHalfBits(value) {
  scratchFloat[0] = value;
  const bits = scratchBits[0];
  if (bits < 0x38800000) return Math.round(value * 2 ** 24);
  return (bits + 0xfff + ((bits >>> 13) & 1) - 0x38000000) >>> 13;
}

/** @param halves Uint16Array of f16 bits */
export function toF32(halves) {
  return Buffer.from(Float32Array.from(halves, (bits) => halfValues[bits]).buffer);
}

export function toF16(halves) {
  return Buffer.from(halves.buffer, halves.byteOffset, halves.byteLength);
}

/** Blocks of 32 values: scale = max|x| / 127 as f16, then 32 signed bytes round(x / scale). */
export function toQ8_0(halves) {
  const blockCount = halves.length / 32;
  const out = Buffer.alloc(blockCount * 34);
  for (let block = 0; block < blockCount; block++) {
    const first = block * 32;
    let max = 0;
    for (let i = first; i < first + 32; i++) max = Math.max(max, Math.abs(halfValues[halves[i]]));
    const scale = max / 127;
    const inverse = scale === 0 ? 0 : 1 / scale;
    const at = block * 34;
    out.writeUInt16LE(normalHalfBits(scale), at);
    for (let i = 0; i < 32; i++)
      out.writeInt8(Math.round(halfValues[halves[first + i]] * inverse), at + 2 + i);
  }
  return out;
}

/**
 * Blocks of 32 values: scale = the value of the largest magnitude / -8 as f16, then codes value / scale + 8 of four bits, those of
 * the first 16 values in the low halves of bytes.
 */
export function toQ4_0(halves) {
  const blockCount = halves.length / 32;
  const out = Buffer.alloc(blockCount * 18);
  for (let block = 0; block < blockCount; block++) {
    const first = block * 32;
    let most = 0;
    for (let i = first; i < first + 32; i++) {
      const value = halfValues[halves[i]];
      if (Math.abs(value) > Math.abs(most)) most = value;
    }
    const scale = most / -8;
    const inverse = scale === 0 ? 0 : 1 / scale;
    const code = (i) => Math.min(15, Math.floor(halfValues[halves[first + i]] * inverse + 8.5));
    const at = block * 18;
    out.writeUInt16LE(normalHalfBits(Math.abs(scale)) | (scale < 0 ? 0x8000 : 0), at);
    for (let i = 0; i < 16; i++) out.writeUInt8(code(i) | (code(i + 16) << 4), at + 2 + i);
  }
  return out;
}

/** Values and bytes of a block of Q4_K, and its groups of 32 values. */
const [K_VALUES, K_BYTES, K_GROUPS] = [256, 144, 8];

/**
 * Blocks of 256 values in eight groups of 32: a code of four bits times the group's scale, less its minimum. Scales and minima are 6
 * bits of a factor each has for the block, in f16. Groups span from their least value, or 0, to their largest.
 */
export function toQ4_K(halves) {
  const blockCount = halves.length / K_VALUES;
  const out = Buffer.alloc(blockCount * K_BYTES);
  for (let block = 0; block < blockCount; block++) {
    const value = (i) => halfValues[halves[block * K_VALUES + i]];
    const groups = Array.from({ length: K_GROUPS }, (_, group) => {
      let [least, most] = [0, -Infinity];
      for (let i = group * 32; i < group * 32 + 32; i++) {
        least = Math.min(least, value(i));
        most = Math.max(most, value(i));
      }
      return { scale: Math.max(0, most - least) / 15, minimum: -least };
    });
    const factorOf = (key) => {
      const bits = normalHalfBits(Math.max(...groups.map((group) => group[key])) / 63);
      const factor = halfValues[bits];
      return {
        bits,
        codes: groups.map((group) => (factor === 0 ? 0 : Math.min(63, Math.round(group[key] / factor)))),
        factor,
      };
    };
    const [scales, minima] = [factorOf('scale'), factorOf('minimum')];
    const at = block * K_BYTES;
    out.writeUInt16LE(scales.bits, at);
    out.writeUInt16LE(minima.bits, at + 2);
    for (let group = 0; group < 4; group++) {
      const [low, high] = [scales.codes, minima.codes].map((codes) => [codes[group], codes[group + 4]]);
      out.writeUInt8(low[0] | ((low[1] >> 4) << 6), at + 4 + group);
      out.writeUInt8(high[0] | ((high[1] >> 4) << 6), at + 8 + group);
      out.writeUInt8((low[1] & 15) | ((high[1] & 15) << 4), at + 12 + group);
    }
    const code = (i) => {
      const group = i >> 5;
      const [step, offset] = [scales.factor * scales.codes[group], minima.factor * minima.codes[group]];
      return step === 0 ? 0 : Math.max(0, Math.min(15, Math.round((value(i) + offset) / step)));
    };
    for (let pair = 0; pair < 4; pair++)
      for (let i = 0; i < 32; i++) {
        const first = pair * 64 + i;
        out.writeUInt8(code(first) | (code(first + 32) << 4), at + 16 + pair * 32 + i);
      }
  }
  return out;
}
