// vpdpbusd multiplies unsigned by signed bytes: the activations carry an offset of 128, which the sums of the weights'
// rows take out again. A token has two rows of bytes, or one where activations have 8 bits.
#include "quantise.h"
#include <immintrin.h>

namespace aloft {
namespace {

template <int rowsPerToken> int64_t groupTokens(int64_t) { return 16 / rowsPerToken; }

template <int rowsPerToken>
void prepare(const LinearCall& call, const PreparedBlock& block, int64_t first, int64_t last) {
  quantiseToBytes<rowsPerToken>(call, block, first, last, 0x80);
}

template <int rowsPerToken, int Tokens, int Tiles>
void multiplyBlock(const LinearCall& call, const PreparedBlock& block, int64_t t, int64_t tile) {
  constexpr int rows = rowsPerToken * Tokens;
  __m512i sums[Tiles][rows];
  for (int i = 0; i < Tiles; i++) {
    const __m512i weightSum = _mm512_loadu_si512(call.sum + (tile + i) * tileRows);
    const __m512i offset = _mm512_sub_epi32(_mm512_setzero_si512(), _mm512_slli_epi32(weightSum, 7));
    for (int row = 0; row < rows; row++) sums[i][row] = offset;
  }
  const uint8_t* x = byteRows<rowsPerToken>(call, block, t);
  const uint8_t* stream[Tiles];
  for (int i = 0; i < Tiles; i++) stream[i] = tileAt(call, tile + i);
  for (int64_t k = 0; k < call.paddedIn; k += 64, x += 1024) {
#pragma GCC unroll 4
    for (int quad = 0; quad < 16; quad++) {
      __m512i weights[Tiles];
      for (int i = 0; i < Tiles; i++) {
        prefetch(stream[i] + quad * 64);
        weights[i] = _mm512_loadu_si512(stream[i] + quad * 64);
      }
      for (int row = 0; row < rows; row++) {
        int32_t four;
        std::memcpy(&four, x + row * 64 + quad * 4, 4);
        const __m512i value = _mm512_set1_epi32(four);
        for (int i = 0; i < Tiles; i++) sums[i][row] = _mm512_dpbusd_epi32(sums[i][row], value, weights[i]);
      }
    }
    for (int i = 0; i < Tiles; i++) stream[i] += 1024;
  }
  const int64_t rest = block.tokenCount - t;
  // Unrolled in full: an index that is not constant would keep the sums in memory instead of registers.
#pragma GCC unroll 4
  for (int i = 0; i < Tiles; i++) {
#pragma GCC unroll 8
    for (int token = 0; token < Tokens; token++) {
      if (token >= rest) break;
      alignas(64) int32_t high[tileRows], low[tileRows];
      _mm512_store_si512(high, sums[i][rowsPerToken * token]);
      if constexpr (rowsPerToken == 1) {
        storeDots(call, block, t + token, tile + i, high);
      } else {
        _mm512_store_si512(low, sums[i][2 * token + 1]);
        storeHighLow(call, block, t + token, tile + i, high, low);
      }
    }
  }
}

template <int rowsPerToken, int Tiles>
void multiplyTiles(const LinearCall& call, const PreparedBlock& block, int64_t tile) {
  constexpr int most = 8 / rowsPerToken;
  for (int64_t t = 0; t < block.tokenCount; t += most) {
    const int64_t rest = block.tokenCount - t;
    if (rest == 1)
      multiplyBlock<rowsPerToken, 1, Tiles>(call, block, t, tile);
    else if (rest == 2)
      multiplyBlock<rowsPerToken, 2, Tiles>(call, block, t, tile);
    else if (rest <= 4)
      multiplyBlock<rowsPerToken, 4, Tiles>(call, block, t, tile);  // of 3 tokens, with one too many
    else
      multiplyBlock<rowsPerToken, most, Tiles>(call, block, t, tile);
  }
}

// 3 tiles of 8 rows are 24 of 32 registers. Tiles outside, tokens inside: a group of tiles comes from memory once and
// stays in the L2 cache for the other tokens.
template <int rowsPerToken>
void multiply(const LinearCall& call, const PreparedBlock& block, int64_t firstTile, int64_t lastTile) {
  int64_t tile = firstTile;
  for (; tile + 3 <= lastTile; tile += 3) multiplyTiles<rowsPerToken, 3>(call, block, tile);
  for (; tile < lastTile; tile++) multiplyTiles<rowsPerToken, 1>(call, block, tile);
}

}  // namespace

const LinearKernel int8Avx512Vnni = {2, groupTokens<2>, prepare<2>, multiply<2>};
const LinearKernel int8BytesAvx512Vnni = {1, groupTokens<1>, prepare<1>, multiply<1>};

}  // namespace aloft
