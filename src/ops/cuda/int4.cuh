// int4 weights, which are stored as unsigned nibbles: a weight is (nibble - zero) * scale.
//
// A word has eight nibbles of a row: nibbles i and i + 4 become a pair of activations. A nibble in the low bits of the
// significand of a power of two is that power plus the nibble, so a pair takes one logical operation and one addition,
// which takes the power and the zero away. Differences are exact.
#pragma once
#include "cuda/act.cuh"
#include "cuda/pairs.cuh"

// A zero as the pairs that are added: to nibbles in the lowest bits, and to nibbles 4 bits up.
struct Int4Zero {
  u32 low, high;
};

__device__ __forceinline__ Int4Zero int4_zero(u32 zero) {
#ifdef ACT_BF16
  const u32 pair = 0xc300c300u + twice(zero);  // -(128 + zero)
  return {pair, pair};
#else
  return {0xe400e400u + twice(zero), 0xd400d400u + twice(zero << 4)};  // -(1024 + zero), -(64 + zero)
#endif
}

// The operands of product 0 or 1 of a word, less their zero: of product 0 nibbles 0 and 4, and 2 and 6, of product 1
// those after them.
__device__ __forceinline__ void int4_pairs(u32 word, int product, const Int4Zero& zero, u32& first, u32& second) {
  const u32 words[2] = {word, word >> 8};
#pragma unroll
  for (int i = 0; i < 2; i++) {
    u32& pair = i == 0 ? first : second;
#ifdef ACT_BF16
    // 0x4300 + nibble is 128 + nibble. The significand has 7 bits, so every nibble is brought to the lowest.
    pair = add_pairs(masked_with(words[i] >> product * 4, 0x000f000fu, 0x43004300u), zero.low);
#else
    // 0x6400 + nibble is 1024 + nibble; 4 bits up, 1024 + 16 nibble, of which 0x2c00 makes the sixteenth part.
    pair = product == 0 ? add_pairs(masked_with(words[i], 0x000f000fu, 0x64006400u), zero.low)
                        : multiply_add_pairs(masked_with(words[i], 0x00f000f0u, 0x64006400u), 0x2c002c00u, zero.high);
#endif
  }
}

// A scale as a pair. A bf16 has fewer bits than an f16, so that what it lacks is kept beside it: products are rounded
// once.
struct Int4Scale {
  u32 pair;
#ifdef ACT_BF16
  u32 rest;
#endif
};

__device__ __forceinline__ Int4Scale int4_scale(u16 bits) {
#ifdef ACT_BF16
  const float scale = half_bits_to_float(bits);
  const u32 pair = pack_act(scale, scale);
  const float rest = scale - act_low(pair);
  return {pair, pack_act(rest, rest)};
#else
  return {twice(bits)};
#endif
}

__device__ __forceinline__ u32 scale_pair(u32 pair, const Int4Scale& scale) {
#ifdef ACT_BF16
  return multiply_add_pairs(pair, scale.pair, multiply_pairs(pair, scale.rest));
#else
  return multiply_pairs(pair, scale.pair);
#endif
}
