// int8 weights by multiplying 16-bit words (vpmaddwd), for levels without 8-bit dot products. The including file
// defines INT8_NAME and is compiled for AVX2, AVX-512 or NEON.
//
// A quad of weights w0 w1 w2 w3 is split into the words (w0, w2) and (w1, w3) by shifts; activations are stored in that
// order, so that each 4 bytes of them are one broadcast operand. Several groups of tokens share the split: a part of a
// tile becomes words once, and stays in the L1 cache for all of them.
#include "words.h"
#include <memory>

namespace aloft {
namespace {

// 512 * 127 * 32639 is just below 2^31: so many products fit into 32 bits.
constexpr int64_t chunkInputs = 512;

#if defined(__AVX512F__)
ALOFT_INLINE Words oddBytes(Words bytes) { return _mm512_srai_epi16(bytes, 8); }
ALOFT_INLINE Words evenBytes(Words bytes) { return oddBytes(_mm512_slli_epi16(bytes, 8)); }
#elif defined(ALOFT_NEON)
ALOFT_INLINE Words oddBytes(Words bytes) { return vreinterpretq_u32_s16(vshrq_n_s16(vreinterpretq_s16_u32(bytes), 8)); }
ALOFT_INLINE Words evenBytes(Words bytes) {
  return oddBytes(vreinterpretq_u32_u16(vshlq_n_u16(vreinterpretq_u16_u32(bytes), 8)));
}
#else
ALOFT_INLINE Words oddBytes(Words bytes) { return _mm256_srai_epi16(bytes, 8); }
ALOFT_INLINE Words evenBytes(Words bytes) { return oddBytes(_mm256_slli_epi16(bytes, 8)); }
#endif

constexpr int64_t quadBytes = 4 * tileRows;

// The words of `quadCount` quads of a tile: [quads][2][16][2].
void widen(const uint8_t* stream, int64_t quadCount, int16_t* words) {
  for (int64_t quad = 0; quad < quadCount; quad++, stream += quadBytes, words += quadWords) {
    for (int v = 0; v < vectorsPerTile; v++) {
      const Words bytes = loadWords(stream + v * lanes * 4);
      storeWords(words + v * lanes * 2, evenBytes(bytes));
      storeWords(words + quadWords / 2 + v * lanes * 2, oddBytes(bytes));
    }
  }
}

// Adds the products of `quadCount` quads as they are packed to the sums of one group of tokens.
template <int Tokens>
ALOFT_INLINE void addPacked(const uint8_t* stream, const int16_t* x, int64_t quadCount,
                            Words (&sums)[Tokens][vectorsPerTile]) {
  for (int64_t quad = 0; quad < quadCount; quad++, stream += quadBytes, x += 4 * Tokens) {
    prefetch(stream);
    Words even[vectorsPerTile], odd[vectorsPerTile];
    for (int v = 0; v < vectorsPerTile; v++) {
      const Words bytes = loadWords(stream + v * lanes * 4);
      even[v] = evenBytes(bytes);
      odd[v] = oddBytes(bytes);
    }
    addQuad<Tokens>(even, odd, x, sums);
  }
}

template <int Tokens> void addTotals(const Words (&sums)[Tokens][vectorsPerTile], int64_t* totals) {
  // Unrolled in full: an index that is not constant would keep the sums in memory instead of registers.
#pragma GCC unroll 12
  for (int i = 0; i < Tokens; i++) {
    int32_t chunkSums[tileRows];
    std::memcpy(chunkSums, sums[i], sizeof chunkSums);
    for (int64_t row = 0; row < tileRows; row++) totals[i * tileRows + row] += chunkSums[row];
  }
}

// Inputs [first, first + chunkInputs) of a tile for all tokens of a block. totals: [tokens][16]; words: room for the
// words of these inputs where several groups of tokens share them.
template <int Tokens, bool isShared>
void multiplyChunk(const LinearCall& call, const PreparedBlock& block, int64_t tile, int64_t first, int64_t* totals,
                   int16_t* words) {
  const int64_t rest = call.paddedIn - first, quadCount = (rest < chunkInputs ? rest : chunkInputs) / 4;
  const uint8_t* stream = tileAt(call, tile) + first * tileRows;
  if constexpr (isShared) widen(stream, quadCount, words);
  for (int64_t t = 0; t < block.tokenCount; t += Tokens) {
    const int16_t* x = reinterpret_cast<const int16_t*>(block.activations) + t * call.paddedIn + first * Tokens;
    Words sums[Tokens][vectorsPerTile] = {};
    if constexpr (isShared)
      addPairs<Tokens, quadBytes / 2>(words, x, 2 * quadCount, sums, t == 0 ? stream + quadCount * quadBytes : nullptr);
    else
      addPacked<Tokens>(stream, x, quadCount, sums);
    addTotals<Tokens>(sums, totals + t * tileRows);
  }
}

template <int Tokens, bool isShared>
void multiplyTiles(const LinearCall& call, const PreparedBlock& block, int64_t firstTile, int64_t lastTile) {
  const int64_t totalCount = roundUp(block.tokenCount, Tokens) * tileRows;
  const std::unique_ptr<int64_t[]> totals(new int64_t[totalCount]);
  const std::unique_ptr<int16_t[]> words(isShared ? new int16_t[chunkInputs * tileRows] : nullptr);
  for (int64_t tile = firstTile; tile < lastTile; tile++) {
    std::memset(totals.get(), 0, totalCount * sizeof(int64_t));
    for (int64_t first = 0; first < call.paddedIn; first += chunkInputs)
      multiplyChunk<Tokens, isShared>(call, block, tile, first, totals.get(), words.get());
    for (int64_t t = 0; t < block.tokenCount; t++) storeTotals(call, block, t, tile, totals.get() + t * tileRows);
  }
}

void multiply(const LinearCall& call, const PreparedBlock& block, int64_t firstTile, int64_t lastTile) {
  withGroups(block, [&](auto tokens, auto isShared) {
    multiplyTiles<decltype(tokens)::value, decltype(isShared)::value>(call, block, firstTile, lastTile);
  });
}

}  // namespace

const LinearKernel INT8_NAME = {2, pairGroupTokens, quantiseToPairs, multiply};

}  // namespace aloft
