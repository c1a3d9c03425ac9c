// int8 weights by multiplying 16-bit words (vpmaddwd), for levels without 8-bit dot products. The including file
// defines INT8_NAME and is compiled for AVX2, AVX-512 or NEON.
//
// A quad of weights w0 w1 w2 w3 is split into the words (w0, w2) and (w1, w3) by shifts; activations are stored in that
// order, so that each 4 bytes of them are one broadcast operand.
#include "quantise.h"
#include "vector.h"

namespace aloft {
namespace {

#if defined(__AVX512F__)
ALOFT_INLINE Words broadcastWord(int32_t value) { return _mm512_set1_epi32(value); }
ALOFT_INLINE Words evenBytes(Words bytes) { return _mm512_srai_epi16(_mm512_slli_epi16(bytes, 8), 8); }
ALOFT_INLINE Words oddBytes(Words bytes) { return _mm512_srai_epi16(bytes, 8); }
ALOFT_INLINE Words multiplyPairs(Words a, Words b) { return _mm512_madd_epi16(a, b); }
ALOFT_INLINE Words add(Words a, Words b) { return _mm512_add_epi32(a, b); }
constexpr int blockTokens = 8;
#elif defined(ALOFT_NEON)
ALOFT_INLINE Words oddBytes(Words bytes) { return vreinterpretq_u32_s16(vshrq_n_s16(vreinterpretq_s16_u32(bytes), 8)); }
ALOFT_INLINE Words evenBytes(Words bytes) {
  return oddBytes(vreinterpretq_u32_u16(vshlq_n_u16(vreinterpretq_u16_u32(bytes), 8)));
}
ALOFT_INLINE Words add(Words a, Words b) { return vaddq_u32(a, b); }
constexpr int blockTokens = 4;
#else
ALOFT_INLINE Words broadcastWord(int32_t value) { return _mm256_set1_epi32(value); }
ALOFT_INLINE Words evenBytes(Words bytes) { return _mm256_srai_epi16(_mm256_slli_epi16(bytes, 8), 8); }
ALOFT_INLINE Words oddBytes(Words bytes) { return _mm256_srai_epi16(bytes, 8); }
ALOFT_INLINE Words multiplyPairs(Words a, Words b) { return _mm256_madd_epi16(a, b); }
ALOFT_INLINE Words add(Words a, Words b) { return _mm256_add_epi32(a, b); }
constexpr int blockTokens = 4;
#endif

int64_t groupTokens(int64_t) { return 1; }

void prepare(const LinearCall& call, const PreparedBlock& block, int64_t first, int64_t last) {
  quantiseToWords(call, block, first, last);
  int16_t* x = reinterpret_cast<int16_t*>(block.activations);
  for (int64_t i = first * call.paddedIn; i < last * call.paddedIn; i += 4) {
    const int16_t second = x[i + 1];
    x[i + 1] = x[i + 2];
    x[i + 2] = second;
  }
}

// 512 * 127 * 32639 is just below 2^31: so many products fit into 32 bits.
constexpr int64_t chunkInputs = 512;

template <int Tokens> void multiplyTile(const LinearCall& call, const PreparedBlock& block, int64_t t, int64_t tile) {
  const int16_t* x[Tokens];
  for (int i = 0; i < Tokens; i++) x[i] = reinterpret_cast<const int16_t*>(block.activations) + (t + i) * call.paddedIn;
  const uint8_t* stream = tileAt(call, tile);
  int64_t totals[Tokens][tileRows] = {};
  for (int64_t chunk = 0; chunk < call.paddedIn; chunk += chunkInputs) {
    const int64_t end = chunk + chunkInputs < call.paddedIn ? chunk + chunkInputs : call.paddedIn;
    Words sums[Tokens][vectorsPerTile] = {};
    for (int64_t k = chunk; k < end; k += 4, stream += 64) {
      prefetch(stream);
      for (int v = 0; v < vectorsPerTile; v++) {
        const Words weights = loadWords(stream + v * lanes * 4);
        const Words even = evenBytes(weights), odd = oddBytes(weights);
        for (int i = 0; i < Tokens; i++) {
          int32_t pairs[2];
          std::memcpy(pairs, x[i] + k, 8);
          const Words products =
              add(multiplyPairs(even, broadcastWord(pairs[0])), multiplyPairs(odd, broadcastWord(pairs[1])));
          sums[i][v] = add(sums[i][v], products);
        }
      }
    }
    // Unrolled in full: an index that is not constant would keep the sums in memory instead of registers.
#pragma GCC unroll 8
    for (int i = 0; i < Tokens; i++) {
      int32_t chunkSums[tileRows];
      std::memcpy(chunkSums, sums[i], sizeof chunkSums);
      for (int64_t row = 0; row < tileRows; row++) totals[i][row] += chunkSums[row];
    }
  }
  for (int i = 0; i < Tokens; i++) storeTotals(call, block, t + i, tile, totals[i]);
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

const LinearKernel INT8_NAME = {2, groupTokens, prepare, multiply};

}  // namespace aloft
