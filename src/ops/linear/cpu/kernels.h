// Functions that each instruction-set level offers to the dispatcher in linear.cpp.
//
// int8 weights are multiplied with activations quantised to 16 bits, one scale per token: q = round(x / max|x| *
// 32639). The dot product of q with the weights is an exact integer, the same at every level and in every batch; it is
// rounded to f32 once. 8-bit multipliers get q as two bytes, q = 256 * high + low, both in [-128, 127]; that is why
// 32639 and not 32767. Where a layer allows it, q has 8 bits, the largest is 127, and one byte is enough. int4 weights
// are multiplied as int8, with an exact integer for each group of inputs. fp8 weights are multiplied as dense ones, and
// their row's scale is applied to the sum.
#pragma once
#include "linear.h"

namespace aloft {

ALOFT_INLINE float maxActivation(const LinearCall& call) { return call.inputBits == 8 ? 127 : 32639; }

// Kernels first bring the activations of a block of tokens into a form of their own, on all threads, and then multiply,
// each thread its own output tiles. Prepared tokens lie in groups.
struct PreparedBlock {
  int64_t firstToken, tokenCount;  // of the call
  int64_t groupTokens;
  uint8_t* activations;  // 64-byte aligned
  float* scale;          // [tokens] f32, int8 and int4 only
  int32_t* groupSum;     // [tokens, groups], int4 only: sum of the quantised activations of each group
};

struct LinearKernel {
  int64_t bytesPerInput;  // of one prepared token
  // Tokens of a group in a call of `tokenCount`.
  int64_t (*groupTokens)(int64_t tokenCount);
  // Prepares tokens [first, last) of the block; `first` is a multiple of the group.
  void (*prepare)(const LinearCall& call, const PreparedBlock& block, int64_t first, int64_t last);
  void (*multiply)(const LinearCall& call, const PreparedBlock& block, int64_t firstTile, int64_t lastTile);
};

// Tokens of a group where registers hold `most`: equal groups rather than full ones and a rest, which would leave
// registers idle.
ALOFT_INLINE int64_t equalGroups(int64_t tokenCount, int64_t most) {
  const int64_t groupCount = (tokenCount + most - 1) / most;
  return (tokenCount + groupCount - 1) / groupCount;
}

// Upper limit of a block.
constexpr int64_t maxPreparedTokens = 256;

extern const LinearKernel densePortable, denseAvx2, denseAvx512, denseAmxF16, denseAmxBf16, denseAmxFp8;
extern const LinearKernel int8Portable, int8Avx2, int8Avx512, int8Avx512Vnni, int8Amx;
extern const LinearKernel denseNeon, int8Neon, int8Dotprod, int4Neon, int4Dotprod;
// Activations of 8 bits as one byte; the other kernels of int8 take them as they take those of 16.
extern const LinearKernel int8BytesAvx2, int8BytesAvx512Vnni, int8BytesDotprod;
extern const LinearKernel int4Portable, int4Avx2, int4Avx512, int4Avx512Vnni, int4Amx;

// Groups of 16 rows of 64 bytes a step, which are a tile register of AMX: two rows a token, or one.
constexpr int64_t rowGroupTokens = 8;
template <int rowsPerToken> ALOFT_INLINE uint8_t* byteRows(const LinearCall& call, const PreparedBlock& block,
                                                           int64_t token) {
  constexpr int64_t groupTokens = 16 / rowsPerToken;
  return block.activations + token / groupTokens * 16 * call.paddedIn + token % groupTokens * rowsPerToken * 64;
}
ALOFT_INLINE uint8_t* groupRows(const LinearCall& call, const PreparedBlock& block, int64_t token,
                                int64_t bytesPerInput) {
  const int64_t group = token / rowGroupTokens;
  return block.activations + group * rowGroupTokens * call.paddedIn * bytesPerInput + token % rowGroupTokens * 128;
}

}  // namespace aloft
