// sdot multiplies signed bytes, so weights and activations go in as they are. A token has two rows of bytes, or one
// where activations have 8 bits.
#include "quantise.h"
#include "vector.h"

namespace aloft {
namespace {

template <int rowsPerToken> int64_t groupTokens(int64_t) { return 16 / rowsPerToken; }

template <int rowsPerToken>
void prepare(const LinearCall& call, const PreparedBlock& block, int64_t first, int64_t last) {
  quantiseToBytes<rowsPerToken>(call, block, first, last, 0);
}

template <int rowsPerToken, int Tokens>
void multiplyBlock(const LinearCall& call, const PreparedBlock& block, int64_t t, int64_t tile) {
  constexpr int rows = rowsPerToken * Tokens;
  int32x4_t sums[rows][vectorsPerTile] = {};
  const uint8_t* x = byteRows<rowsPerToken>(call, block, t);
  const uint8_t* stream = tileAt(call, tile);
  for (int64_t k = 0; k < call.paddedIn; k += 64, x += 1024) {
#pragma GCC unroll 4
    for (int quad = 0; quad < 16; quad++, stream += 64) {
      prefetch(stream);
      int8x16_t weights[vectorsPerTile];
      for (int v = 0; v < vectorsPerTile; v++) weights[v] = vreinterpretq_s8_u32(loadWords(stream + v * 16));
      for (int row = 0; row < rows; row++) {
        const int8x16_t value = broadcastQuad(x + row * 64 + quad * 4);
        for (int v = 0; v < vectorsPerTile; v++) sums[row][v] = vdotq_s32(sums[row][v], weights[v], value);
      }
    }
  }
  const int64_t rest = block.tokenCount - t;
  // Unrolled in full: an index that is not constant would keep the sums in memory instead of registers.
#pragma GCC unroll 4
  for (int token = 0; token < Tokens; token++) {
    if (token >= rest) break;
    int32_t high[tileRows], low[tileRows];
    std::memcpy(high, sums[rowsPerToken * token], sizeof high);
    if constexpr (rowsPerToken == 1) {
      storeDots(call, block, t + token, tile, high);
    } else {
      std::memcpy(low, sums[2 * token + 1], sizeof low);
      storeHighLow(call, block, t + token, tile, high, low);
    }
  }
}

// Four rows are 16 of 32 registers, beside 4 of weights. Tiles outside, tokens inside: a tile comes from memory once
// and stays in a cache for the other tokens.
template <int rowsPerToken>
void multiply(const LinearCall& call, const PreparedBlock& block, int64_t firstTile, int64_t lastTile) {
  constexpr int most = 4 / rowsPerToken;
  for (int64_t tile = firstTile; tile < lastTile; tile++) {
    for (int64_t t = 0; t < block.tokenCount; t += most) {
      if (block.tokenCount - t == 1)
        multiplyBlock<rowsPerToken, 1>(call, block, t, tile);
      else
        multiplyBlock<rowsPerToken, most>(call, block, t, tile);  // of too few tokens, with some too many
    }
  }
}

}  // namespace

const LinearKernel int8Dotprod = {2, groupTokens<2>, prepare<2>, multiply<2>};
const LinearKernel int8BytesDotprod = {1, groupTokens<1>, prepare<1>, multiply<1>};

}  // namespace aloft
