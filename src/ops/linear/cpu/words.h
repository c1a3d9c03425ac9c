// Shared by kernels of quantised weights that multiply 16-bit words: vectors of them, the layout of activations, and
// products of pairs of inputs (vpmaddwd). At the vector width of the including file: AVX2, AVX-512 or NEON.
#pragma once
#include "int4.h"
#include "vector.h"
#include <type_traits>
#include <utility>

namespace aloft {
namespace {

#if defined(__AVX512F__)
ALOFT_INLINE Words broadcastWord(int32_t value) { return _mm512_set1_epi32(value); }
ALOFT_INLINE Words add(Words a, Words b) { return _mm512_add_epi32(a, b); }
ALOFT_INLINE Words multiplyPairs(Words a, Words b) { return _mm512_madd_epi16(a, b); }
ALOFT_INLINE void storeWords(int16_t* to, Words a) { _mm512_storeu_si512(to, a); }
#elif defined(ALOFT_NEON)
ALOFT_INLINE Words add(Words a, Words b) { return vaddq_u32(a, b); }
ALOFT_INLINE void storeWords(int16_t* to, Words a) { vst1q_s16(to, vreinterpretq_s16_u32(a)); }
#else
ALOFT_INLINE Words broadcastWord(int32_t value) { return _mm256_set1_epi32(value); }
ALOFT_INLINE Words add(Words a, Words b) { return _mm256_add_epi32(a, b); }
ALOFT_INLINE Words multiplyPairs(Words a, Words b) { return _mm256_madd_epi16(a, b); }
ALOFT_INLINE void storeWords(int16_t* to, Words a) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), a); }
#endif

ALOFT_INLINE Words broadcastPair(const int16_t* x) {
  int32_t pair;
  std::memcpy(&pair, x, 4);
  return broadcastWord(pair);
}

// Sums that fit beside the weights and one activation: 24 of 32 registers, or 10 of 16.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int maxSums = 24;
#else
constexpr int maxSums = 10;
#endif
constexpr int maxGroupTokens = maxSums / vectorsPerTile > 12 ? 12 : maxSums / vectorsPerTile;

constexpr int64_t quadWords = 4 * tileRows;  // of four inputs of a tile

// Tokens whose sums are in registers at once.
ALOFT_INLINE int64_t pairGroupTokens(int64_t tokenCount) { return equalGroups(tokenCount, maxGroupTokens); }

// Adds up 32 activations of a token, from input k on, for the group that they are in; padding may be in none.
ALOFT_INLINE void addGroupSum(const LinearCall& call, const PreparedBlock& block, int64_t t, int64_t k,
                              const int16_t* words) {
  const int64_t groups = groupCount(call);
  if (groups == 0 || k / call.group >= groups) return;
  int32_t sum = 0;
  for (int64_t i = 0; i < 32; i++) sum += words[i];
  block.groupSum[t * groups + k / call.group] += sum;
}

// Activations in groups of tokens, in each [in / 4][2][tokens][2] words: of each quad of inputs the first and the third
// of every token, then the second and the fourth. Weights come apart in that order, and tokens side by side are read
// front to back. int4 needs the sums of its groups of inputs too.
ALOFT_INLINE void quantiseToPairs(const LinearCall& call, const PreparedBlock& block, int64_t first, int64_t last) {
  const int64_t width = block.groupTokens;
  for (int64_t t = first; t < last; t++) {
    const float* x = call.x + (block.firstToken + t) * call.inCount;
    const auto [inverse, scale] = tokenScale(x, call.inCount, maxActivation(call));
    block.scale[t] = scale;
    std::memset(block.groupSum + t * groupCount(call), 0, groupCount(call) * sizeof(int32_t));
    int16_t* to = reinterpret_cast<int16_t*>(block.activations) + t / width * width * call.paddedIn + t % width * 2;
    for (int64_t k = 0; k < call.paddedIn; k += 64) {
      const int64_t rest = call.inCount - k;
      float values[64] = {};
      std::memcpy(values, x + k, (rest < 64 ? rest : 64) * sizeof(float));
      int16_t words[64];
      for (int i = 0; i < 64; i++) words[i] = static_cast<int16_t>(quantised(values[i], inverse));
      for (int64_t part = 0; part < 64; part += 32) addGroupSum(call, block, t, k + part, words + part);
      for (int i = 0; i < 64; i += 4) std::swap(words[i + 1], words[i + 2]);
      for (int i = 0; i < 64; i += 2, to += 2 * width) std::memcpy(to, words + i, 4);
    }
  }
}

// Adds the products of the two pairs of a quad of inputs to the sums of a group's tokens. Products are added first:
// half as many additions wait for each other.
template <int Tokens>
ALOFT_INLINE void addQuad(const Words (&even)[vectorsPerTile], const Words (&odd)[vectorsPerTile], const int16_t* x,
                          Words (&sums)[Tokens][vectorsPerTile]) {
  for (int i = 0; i < Tokens; i++) {
    const Words first = broadcastPair(x + 2 * i), second = broadcastPair(x + 2 * (Tokens + i));
    for (int v = 0; v < vectorsPerTile; v++)
      sums[i][v] = add(sums[i][v], add(multiplyPairs(even[v], first), multiplyPairs(odd[v], second)));
  }
}

// The same of one pair.
template <int Tokens>
ALOFT_INLINE void addPair(const Words (&weights)[vectorsPerTile], const int16_t* x,
                          Words (&sums)[Tokens][vectorsPerTile]) {
  for (int i = 0; i < Tokens; i++) {
    const Words value = broadcastPair(x + 2 * i);
    for (int v = 0; v < vectorsPerTile; v++) sums[i][v] = add(sums[i][v], multiplyPairs(weights[v], value));
  }
}

// The same of `pairCount` pairs of words, [pairs][16][2]. One at a time: the words of two would take the registers of
// sums. ahead: what is fetched meanwhile, for each pair so many bytes, or null.
template <int Tokens, int64_t aheadBytes>
ALOFT_INLINE void addPairs(const int16_t* words, const int16_t* x, int64_t pairCount,
                           Words (&sums)[Tokens][vectorsPerTile], const uint8_t* ahead) {
#pragma GCC unroll 4
  for (int64_t pair = 0; pair < pairCount; pair++, words += quadWords / 2, x += 2 * Tokens) {
    if (ahead != nullptr) __builtin_prefetch(ahead + pair * aheadBytes, 0, 2);
    Words weights[vectorsPerTile];
    for (int v = 0; v < vectorsPerTile; v++)
      weights[v] = loadWords(reinterpret_cast<const uint8_t*>(words + v * lanes * 2));
    addPair<Tokens>(weights, x, sums);
  }
}

// Calls `run` with the number of tokens as a constant.
template <int Tokens, typename Run> void withGroupTokens(int64_t tokens, Run run) {
  if constexpr (Tokens > 1)
    if (tokens < Tokens) return withGroupTokens<Tokens - 1>(tokens, run);
  run(std::integral_constant<int, Tokens>{});
}

// Calls `run` with the tokens of a group, and with whether groups share the words of a part of a tile, as constants.
// Two groups split each part themselves, which costs them less than storing it.
template <typename Run> void withGroups(const PreparedBlock& block, Run run) {
  withGroupTokens<maxGroupTokens>(block.groupTokens, [&](auto tokens) {
    if (block.tokenCount > 2 * tokens)
      run(tokens, std::true_type{});
    else
      run(tokens, std::false_type{});
  });
}

}  // namespace
}  // namespace aloft
