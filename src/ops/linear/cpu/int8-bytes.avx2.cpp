// int8 weights and activations of 8 bits with vpmaddubsw, which adds two products of unsigned by signed bytes in 16
// bits. Weights are its unsigned operand: they carry an offset of 128, which the sum of a token's activations takes out
// again. Two neighbouring activations a and b of the same sign can exceed 16 bits, 255 * (a + b), where a + b exceeds
// 128. Such a pair is split: 128 is left of it, and the rest goes to a list of the token whose products are added
// afterwards, so that sums are exact. Of normally distributed activations it is one pair in a hundred.
#include "quantise.h"
#include <immintrin.h>

namespace aloft {
namespace {

constexpr int maxGroupTokens = 4;  // 8 of 16 registers, beside weights, an activation, constants and products
constexpr int vectors = 2;         // of a tile
constexpr int32_t mostOfPair = 128;

int64_t groupTokens(int64_t tokenCount) { return equalGroups(tokenCount, maxGroupTokens); }

// The excess that was split off a quad of activations.
struct Rest {
  int32_t quad;
  int8_t values[4];
};

struct TokenRests {
  int32_t sum;  // of all activations of the token
  int32_t count;
  Rest list[];
};

// A group of tokens: [in / 4][tokens][4] activations, then the rests of each token.
constexpr int64_t bytesPerInput = 4;  // one activation, and most of all two of rests and their head

ALOFT_INLINE int8_t* groupAt(const LinearCall& call, const PreparedBlock& block, int64_t t) {
  const int64_t width = block.groupTokens;
  return reinterpret_cast<int8_t*>(block.activations) + t / width * width * call.paddedIn * bytesPerInput;
}

ALOFT_INLINE TokenRests* restsAt(const LinearCall& call, const PreparedBlock& block, int64_t t) {
  const int64_t width = block.groupTokens,
                bytes = width * call.paddedIn + t % width * (bytesPerInput - 1) * call.paddedIn;
  return reinterpret_cast<TokenRests*>(groupAt(call, block, t) + bytes);
}

// Leaves at most 128 of a pair, and returns what it takes off.
ALOFT_INLINE int8_t splitPair(int8_t* pair) {
  const int32_t sum = pair[0] + pair[1];
  const int32_t rest = sum > mostOfPair ? sum - mostOfPair : sum < -mostOfPair ? sum + mostOfPair : 0;
  pair[0] = static_cast<int8_t>(pair[0] - rest);
  return static_cast<int8_t>(rest);
}

// 64 activations from input k on.
ALOFT_INLINE void splitPairs(int8_t* values, int64_t k, TokenRests& rests) {
  bool isSplit = false;
  for (int i = 0; i < 64; i += 2) {
    const int32_t sum = values[i] + values[i + 1];
    isSplit |= sum > mostOfPair || sum < -mostOfPair;
  }
  if (!isSplit) return;
  for (int i = 0; i < 64; i += 4) {
    const int8_t first = splitPair(values + i), second = splitPair(values + i + 2);
    if (first != 0 || second != 0) rests.list[rests.count++] = {static_cast<int32_t>(k + i) / 4, {first, 0, second, 0}};
  }
}

void prepareToken(const LinearCall& call, const PreparedBlock& block, int64_t t) {
  const int64_t width = block.groupTokens;
  const float* x = call.x + (block.firstToken + t) * call.inCount;
  const auto [inverse, scale] = tokenScale(x, call.inCount, maxActivation(call));
  block.scale[t] = scale;
  TokenRests& rests = *restsAt(call, block, t);
  rests.sum = rests.count = 0;
  int8_t* to = groupAt(call, block, t) + t % width * 4;
  for (int64_t k = 0; k < call.paddedIn; k += 64) {
    const int64_t count = call.inCount - k < 64 ? call.inCount - k : 64;
    float values[64] = {};
    std::memcpy(values, x + k, count * sizeof(float));
    int8_t bytes[64];
    int32_t sum = 0;
    for (int i = 0; i < 64; i++) {
      bytes[i] = static_cast<int8_t>(quantised(values[i], inverse));
      sum += bytes[i];
    }
    rests.sum += sum;
    splitPairs(bytes, k, rests);
    for (int i = 0; i < 64; i += 4, to += 4 * width) std::memcpy(to, bytes + i, 4);
  }
}

void prepare(const LinearCall& call, const PreparedBlock& block, int64_t first, int64_t last) {
  for (int64_t t = first; t < last; t++) prepareToken(call, block, t);
}

ALOFT_INLINE __m256i broadcastQuad(const int8_t* from) {
  int32_t quad;
  std::memcpy(&quad, from, 4);
  return _mm256_set1_epi32(quad);
}

ALOFT_INLINE __m256i unsignedWeights(const uint8_t* from) {
  return _mm256_xor_si256(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)), _mm256_set1_epi8(-128));
}

ALOFT_INLINE __m256i addQuad(__m256i sums, __m256i weights, __m256i activations) {
  const __m256i pairs = _mm256_maddubs_epi16(weights, activations);
  return _mm256_add_epi32(sums, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

// t: the first of a group of tokens.
template <int Tokens>
void multiplyGroup(const LinearCall& call, const PreparedBlock& block, int64_t t, int64_t tile) {
  __m256i sums[Tokens][vectors] = {};
  const uint8_t* weights = tileAt(call, tile);
  const int8_t* x = groupAt(call, block, t);
  for (int64_t k = 0; k < call.paddedIn; k += 4, x += 4 * Tokens) {
    const uint8_t* stream = weights + k * tileRows;
    if (t == 0) prefetch(stream);
    const __m256i low = unsignedWeights(stream), high = unsignedWeights(stream + 32);
    for (int i = 0; i < Tokens; i++) {
      const __m256i quad = broadcastQuad(x + 4 * i);
      sums[i][0] = addQuad(sums[i][0], low, quad);
      sums[i][1] = addQuad(sums[i][1], high, quad);
    }
  }
  // Unrolled in full: an index that is not constant would keep the sums in memory instead of registers.
#pragma GCC unroll 5
  for (int i = 0; i < Tokens; i++) {
    if (t + i >= block.tokenCount) break;
    const TokenRests& rests = *restsAt(call, block, t + i);
    for (int64_t n = 0; n < rests.count; n++) {
      const uint8_t* stream = weights + rests.list[n].quad * (4 * tileRows);
      const __m256i quad = broadcastQuad(rests.list[n].values);
      sums[i][0] = addQuad(sums[i][0], unsignedWeights(stream), quad);
      sums[i][1] = addQuad(sums[i][1], unsignedWeights(stream + 32), quad);
    }
    const __m256i offset = _mm256_set1_epi32(rests.sum * 128);
    alignas(32) int32_t dots[tileRows];
    for (int v = 0; v < vectors; v++)
      _mm256_store_si256(reinterpret_cast<__m256i*>(dots) + v, _mm256_sub_epi32(sums[i][v], offset));
    storeDots(call, block, t + i, tile, dots);
  }
}

template <int Tokens>
void multiplyTiles(const LinearCall& call, const PreparedBlock& block, int64_t firstTile, int64_t lastTile) {
  if constexpr (Tokens > 1)
    if (block.groupTokens < Tokens) return multiplyTiles<Tokens - 1>(call, block, firstTile, lastTile);
  for (int64_t tile = firstTile; tile < lastTile; tile++)
    for (int64_t t = 0; t < block.tokenCount; t += Tokens) multiplyGroup<Tokens>(call, block, t, tile);
}

}  // namespace

const LinearKernel int8BytesAvx2 = {bytesPerInput, groupTokens, prepare, multiplyTiles<maxGroupTokens>};

}  // namespace aloft
