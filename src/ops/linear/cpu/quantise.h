// Activations to integers of 16 or 8 bits, one scale per token, for the kernels of quantised weights (kernels.h).
#pragma once
#include "kernels.h"

namespace aloft {

struct TokenScale {
  float inverse;  // x * inverse rounds to q
  float scale;    // q * scale is about x
};

// NaN anywhere makes the scale NaN, and with it every output of the token.
ALOFT_INLINE TokenScale tokenScale(const float* x, int64_t count, float maxActivation) {
  // Magnitudes compare like integers, and integer maxima need no order of evaluation: the loop becomes vector code.
  int32_t largestBits = 0;
  for (int64_t i = 0; i < count; i++) {
    const int32_t magnitude = static_cast<int32_t>(bitsOfFloat(x[i]) & 0x7fffffff);
    largestBits = magnitude > largestBits ? magnitude : largestBits;
  }
  const float largest = floatOfBits(static_cast<uint32_t>(largestBits));
  if (largest < 1e-30f) return {0, 0};  // its inverse would not be finite
  return {maxActivation / largest, largest / maxActivation};
}

// Rounds to nearest even: adding 1.5 * 2^23 leaves the integer in the low bits of the fraction.
ALOFT_INLINE int32_t quantised(float x, float inverse) {
  constexpr float magic = 0x1.8p23f;
  return static_cast<int32_t>(bitsOfFloat(x * inverse + magic) - bitsOfFloat(magic));
}

// The layout of 8-bit multipliers: groups of tokens, in each [in / 64][16][64] bytes. With two rows a token, row 2t
// holds the high bytes of token t and row 2t + 1 the low ones; with one, activations have 8 bits. A [16][64] part is an
// A tile of AMX. `flip` is 0x80 for unsigned operands (byte + 128).
template <int rowsPerToken = 2>
ALOFT_INLINE void quantiseToBytes(const LinearCall& call, const PreparedBlock& block, int64_t first, int64_t last,
                                  uint8_t flip) {
  for (int64_t t = first; t < last; t++) {
    const float* x = call.x + (block.firstToken + t) * call.inCount;
    const auto [inverse, scale] = tokenScale(x, call.inCount, maxActivation(call));
    block.scale[t] = scale;
    uint8_t* row = byteRows<rowsPerToken>(call, block, t);
    for (int64_t k = 0; k < call.paddedIn; k += 64, row += 1024) {
      alignas(64) float values[64] = {};
      const int64_t count = call.inCount - k < 64 ? call.inCount - k : 64;
      const float* from = values;
      if (count == 64)
        from = x + k;
      else
        std::memcpy(values, x + k, count * 4);
      for (int i = 0; i < 64; i++) {
        const int32_t q = quantised(from[i], inverse);
        if constexpr (rowsPerToken == 1) {
          row[i] = static_cast<uint8_t>(q) ^ flip;
        } else {
          const int32_t high = (q + 128) >> 8;
          row[i] = static_cast<uint8_t>(high) ^ flip;
          row[64 + i] = static_cast<uint8_t>(q) ^ flip;  // q - 256 * high has the same low byte
        }
      }
    }
  }
}

// [tokens][in] in 16 bits.
ALOFT_INLINE void quantiseToWords(const LinearCall& call, const PreparedBlock& block, int64_t first, int64_t last) {
  for (int64_t t = first; t < last; t++) {
    const float* x = call.x + (block.firstToken + t) * call.inCount;
    const auto [inverse, scale] = tokenScale(x, call.inCount, maxActivation(call));
    block.scale[t] = scale;
    int16_t* row = reinterpret_cast<int16_t*>(block.activations) + t * call.paddedIn;
    for (int64_t i = 0; i < call.inCount; i++) row[i] = static_cast<int16_t>(quantised(x[i], inverse));
    for (int64_t i = call.inCount; i < call.paddedIn; i++) row[i] = 0;
  }
}

// out = f32(dot product) * token scale * channel scale, for one token and tile.
ALOFT_INLINE void storeTotals(const LinearCall& call, const PreparedBlock& block, int64_t t, int64_t tile,
                              const int64_t* totals) {
  float results[tileRows];
  const float* scale = call.scale + tile * tileRows;
  for (int64_t row = 0; row < tileRows; row++)
    results[row] = static_cast<float>(totals[row]) * block.scale[t] * scale[row];
  storeTile(call, block.firstToken + t, tile, results);
}

// The same from dot products of 8 bits.
ALOFT_INLINE void storeDots(const LinearCall& call, const PreparedBlock& block, int64_t t, int64_t tile,
                            const int32_t* dots) {
  int64_t totals[tileRows];
  for (int64_t row = 0; row < tileRows; row++) totals[row] = dots[row];
  storeTotals(call, block, t, tile, totals);
}

// The same from the dot products of the high and the low bytes.
ALOFT_INLINE void storeHighLow(const LinearCall& call, const PreparedBlock& block, int64_t t, int64_t tile,
                               const int32_t* high, const int32_t* low) {
  int64_t totals[tileRows];
  for (int64_t row = 0; row < tileRows; row++) totals[row] = int64_t{high[row]} * 256 + low[row];
  storeTotals(call, block, t, tile, totals);
}

}  // namespace aloft
