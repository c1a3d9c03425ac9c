// int4 weights by multiplying 16-bit words (vpmaddwd), for levels without 8-bit dot products. The including file
// defines INT4_NAME and is compiled for AVX2, AVX-512 or NEON.
//
// The four bytes of a row, two quads of codes, are two words. Shifts take a word apart into four codes: those of inputs
// (0, 2), (4, 6), (1, 3) and (5, 7). Activations are stored in the order (0, 2), (1, 3) of each quad, so that each 4
// bytes of them are one broadcast operand.
#include "int4-vectors.h"

namespace aloft {
namespace {

#if defined(__AVX512F__)
constexpr int blockTokens = 8;
ALOFT_INLINE Words halfOfByte() { return _mm512_set1_epi16(15); }
#elif defined(ALOFT_NEON)
constexpr int blockTokens = 4;
ALOFT_INLINE Words halfOfByte() { return vdupq_n_u32(0x000f000f); }
#else
constexpr int blockTokens = 4;
ALOFT_INLINE Words halfOfByte() { return _mm256_set1_epi16(15); }
#endif

int64_t groupTokens(int64_t) { return 1; }

void prepare(const LinearCall& call, const PreparedBlock& block, int64_t first, int64_t last) {
  prepareGroupWords(call, block, first, last);
  int16_t* x = reinterpret_cast<int16_t*>(block.activations);
  for (int64_t i = first * call.paddedIn; i < last * call.paddedIn; i += 4) {
    const int16_t second = x[i + 1];
    x[i + 1] = x[i + 2];
    x[i + 2] = second;
  }
}

ALOFT_INLINE Words broadcastPair(const int16_t* x) {
  int32_t pair;
  std::memcpy(&pair, x, 4);
  return broadcastWord(pair);
}

template <int Tokens> void multiplyTile(const LinearCall& call, const PreparedBlock& block, int64_t t, int64_t tile) {
  const int16_t* x[Tokens];
  for (int i = 0; i < Tokens; i++) x[i] = reinterpret_cast<const int16_t*>(block.activations) + (t + i) * call.paddedIn;
  const uint8_t* stream = tileAt(call, tile);
  const int64_t groups = groupCount(call);
  GroupRows rows[vectorsPerTile];
  for (int v = 0; v < vectorsPerTile; v++) rows[v] = GroupRows(call, tile, v * lanes);
  Vector sums[Tokens][vectorsPerTile] = {};
  for (int64_t g = 0; g < groups; g++) {
    Words dots[Tokens][vectorsPerTile] = {};  // 128 * 15 * 32639 fits
    for (int64_t k = g * call.group; k < groupEnd(call, g); k += 8, stream += 64) {
      prefetch(stream);
      for (int v = 0; v < vectorsPerTile; v++) {
        const Words bytes = loadWords(stream + v * lanes * 4), mask = halfOfByte();
        const Words first = both(bytes, mask), second = both(shiftWords<8>(bytes), mask);
        const Words third = both(shiftWords<4>(bytes), mask), fourth = shiftWords<12>(bytes);
        for (int i = 0; i < Tokens; i++) {
          const Words low =
              add(multiplyPairs(first, broadcastPair(x[i] + k)), multiplyPairs(second, broadcastPair(x[i] + k + 2)));
          const Words high = add(multiplyPairs(third, broadcastPair(x[i] + k + 4)),
                                 multiplyPairs(fourth, broadcastPair(x[i] + k + 6)));
          dots[i][v] = add(dots[i][v], add(low, high));
        }
      }
    }
    for (int v = 0; v < vectorsPerTile; v++) {
      const Vector scales = rows[v].scales(g);
      const Words zeros = rows[v].zeros(g);
      for (int i = 0; i < Tokens; i++)
        sums[i][v] = addGroup(sums[i][v], dots[i][v], zeros, block.groupSum[(t + i) * groups + g], scales);
    }
  }
  // Unrolled in full: an index that is not constant would keep the sums in memory instead of registers.
#pragma GCC unroll 8
  for (int i = 0; i < Tokens; i++) {
    float results[tileRows];
    for (int v = 0; v < vectorsPerTile; v++) storeFloats(results + v * lanes, sums[i][v]);
    storeSums(call, block, t + i, tile, results);
  }
}

void multiply(const LinearCall& call, const PreparedBlock& block, int64_t firstTile, int64_t lastTile) {
  for (int64_t tile = firstTile; tile < lastTile; tile++) {
    int64_t t = 0;
    for (; t + blockTokens <= block.tokenCount; t += blockTokens) multiplyTile<blockTokens>(call, block, t, tile);
    for (; t + 2 <= block.tokenCount; t += 2) multiplyTile<2>(call, block, t, tile);
    for (; t < block.tokenCount; t++) multiplyTile<1>(call, block, t, tile);
  }
}

}  // namespace

const LinearKernel INT4_NAME = {2, groupTokens, prepare, multiply};

}  // namespace aloft
