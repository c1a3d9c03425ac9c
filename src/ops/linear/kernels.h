// What each instruction-set level offers to the dispatcher in linear.cpp.
//
// int8 weights are multiplied with activations quantised to 16 bits, one scale per token: q = round(x / max|x| * 32639).
// The dot product of q with the weights is an exact integer, the same at every level and in every batch; it is rounded to
// f32 once. 8-bit multipliers get q as two bytes, q = 256 * high + low, both in [-128, 127]; that is why 32639 and not 32767.
#pragma once
#include "linear.h"

namespace aloft {

constexpr float maxActivation = 32639;

// Dense levels: all of `call` for tiles [firstTile, lastTile).
using DenseKernel = void (*)(const LinearCall &call, int64_t firstTile, int64_t lastTile);
void densePortable(const LinearCall &call, int64_t firstTile, int64_t lastTile);
void denseAvx2(const LinearCall &call, int64_t firstTile, int64_t lastTile);
void denseAvx512(const LinearCall &call, int64_t firstTile, int64_t lastTile);

// Kernels that first bring the activations of a block of tokens into a form of their own. Blocks of 8 tokens take
// 16 bytes a padded input: 2 bytes for each value, or 16 rows of an AMX tile.
constexpr int64_t preparedBytesPerInput = 2;
constexpr int64_t preparedTokenGroup = 8;

// Tokens [firstToken, firstToken + tokenCount) of a call, prepared.
struct PreparedBlock {
  int64_t firstToken, tokenCount;
  uint8_t *activations; // 64-byte aligned
  float *scale;         // [tokens] f32, int8 only
};

struct PreparedKernels {
  // Prepares tokens [first, last) of the block; `first` is a multiple of preparedTokenGroup.
  void (*prepare)(const LinearCall &call, const PreparedBlock &block, int64_t first, int64_t last);
  void (*multiply)(const LinearCall &call, const PreparedBlock &block, int64_t firstTile, int64_t lastTile);
};

extern const PreparedKernels int8Portable, int8Avx2, int8Avx512, int8Avx512Vnni, int8Amx;

} // namespace aloft
