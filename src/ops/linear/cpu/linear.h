// The linear operator on the CPU: out[t][o] = bias[o] + sum over i of x[t][i] * W[o][i].
//
// Packed weights are tiles of 16 output rows; each tile is one contiguous stream that a kernel reads once, front to
// back.
//   f32, f16: [tiles][in][16]           one vector per input
//   bf16:     [tiles][in / 2][16][2]    pairs of inputs: a B tile of AMX
//   int8:     [tiles][in / 4][16][4]    quads of inputs: an operand of vpdpbusd, a B tile of AMX
//   fp8:      [tiles][in][16]           E4M3, with an f32 scale for each row
//   int4:     [tiles][in / 8][16][4]    two quads of inputs: the first in the low halves of bytes, then the high ones
// `in` is padded with zeros to a multiple of 64 (int8, int4) or 32 (others), output rows to a multiple of 16. Codes of
// int4 are stored in [0, 15], with 8 added where the format has no zeros: its zero is then 8.
#pragma once
#include "ops/cpu/api.h"
#include "ops/cpu/dtype.h"

namespace aloft {

constexpr int64_t tileRows = 16;
// Bits of activations before quantised weights, where a layer does not allow 8.
constexpr int64_t mostInputBits = 16;

// Numbers are shared with TypeScript (cpu.ts); the first three equal DType's.
enum class LinearFormat : int { f32 = 0, f16 = 1, bf16 = 2, int8 = 3, int4 = 4, fp8 = 5 };

ALOFT_INLINE int64_t roundUp(int64_t value, int64_t multiple) { return (value + multiple - 1) / multiple * multiple; }

ALOFT_INLINE int64_t paddedInput(LinearFormat format, int64_t inCount) {
  return roundUp(inCount, format == LinearFormat::int8 || format == LinearFormat::int4 ? 64 : 32);
}

ALOFT_INLINE int64_t tileBytes(LinearFormat format, int64_t paddedIn) {
  constexpr int64_t bits[] = {32, 16, 16, 8, 4, 8};
  return paddedIn * tileRows * bits[static_cast<int>(format)] / 8;
}

struct LinearCall {
  LinearFormat format;
  int64_t tokenCount, inCount, outCount;
  int64_t paddedIn;       // inCount rounded up to what the format's tiles hold
  const float* x;         // [tokens, in] f32
  const uint8_t* weight;  // packed tiles
  const float* scale;     // [tiles * 16] f32, int8 and fp8 only
  const int32_t* sum;     // [tiles * 16] i32, int8 only: sum of each row's quantised weights
  const float* bias;      // [out] f32 or null
  float* out;             // [tokens, out] f32
  int64_t inputBits;      // that activations are quantised to, 8 or 16: 8 with int8 weights only
  // int4 only; 0 and null otherwise.
  int64_t group;               // inputs that share a scale, a multiple of 32
  const uint16_t* groupScale;  // [tiles, groups, 16] f16
  const uint8_t* groupZero;    // [tiles, groups, 16], or null: 8 everywhere
  const int32_t* order;        // [in]: the input of each code, or null: codes lie in the order of inputs
};

ALOFT_INLINE int64_t groupCount(const LinearCall& call) {
  return call.group == 0 ? 0 : (call.inCount + call.group - 1) / call.group;
}

ALOFT_INLINE const uint8_t* tileAt(const LinearCall& call, int64_t tile) {
  return call.weight + tile * tileBytes(call.format, call.paddedIn);
}

// Writes the 16 results of one token and one tile, cut at the last output row, with the bias.
ALOFT_INLINE void storeTile(const LinearCall& call, int64_t token, int64_t tile, const float* results) {
  const int64_t first = tile * tileRows, rest = call.outCount - first;
  float* out = call.out + token * call.outCount + first;
  const float* bias = call.bias == nullptr ? nullptr : call.bias + first;
  if (rest >= tileRows && bias == nullptr) {
    std::memcpy(out, results, tileRows * sizeof(float));
  } else {
    for (int64_t row = 0; row < tileRows && row < rest; row++)
      out[row] = bias == nullptr ? results[row] : results[row] + bias[row];
  }
}

// Sums of 2^-8 of fp8 weights times the scales of their rows.
ALOFT_INLINE void scaleRows(const LinearCall& call, int64_t tile, int64_t tileCount, float* sums) {
  const float* scale = call.scale + tile * tileRows;
  for (int64_t row = 0; row < tileCount * tileRows; row++) sums[row] = sums[row] * 256 * scale[row];
}

// Weights are used once in a pass over the model: fetch them this far ahead of use. Of 0 to 4096 bytes, 512 to 1024
// gave the highest read rate on Sapphire Rapids (19 against 15 GB/s a core without).
constexpr int64_t prefetchBytes = 768;

ALOFT_INLINE void prefetch(const uint8_t* address) { __builtin_prefetch(address + prefetchBytes, 0, 3); }

}  // namespace aloft

// Declared here, so that a caller in another file whose arguments differ does not compile: a C function's name says
// nothing of them. Addresses of what a format does not have, and of bias, may be 0; scale is f32 of int8 and
// fp8 and f16 of int4.
ALOFT_API void aloft_linear(uint64_t pool, int format, int64_t group, int64_t tokenCount, int64_t inCount,
                            int64_t outCount, int64_t inputBits, uint64_t x, uint64_t weight, uint64_t scale,
                            uint64_t sum, uint64_t zero, uint64_t order, uint64_t bias, uint64_t out);
