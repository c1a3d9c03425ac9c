// int4 weights with sdot: codes and activations are signed bytes. Halves of bytes become bytes in registers, so that
// four bits a weight are read.
#include "int4-vectors.h"

namespace aloft {
namespace {

int64_t groupTokens(int64_t) { return rowGroupTokens; }

void prepare(const LinearCall& call, const PreparedBlock& block, int64_t first, int64_t last) {
  prepareGroupBytes(call, block, first, last);
}

// Dot products of group g, [rows][16] in vectors. x: rows of prepared activations, stream: where the tile is read.
template <int rows>
ALOFT_INLINE void multiplyGroup(const LinearCall& call, int64_t g, const uint8_t* activations, const uint8_t*& stream,
                                int32x4_t (&dots)[rows][vectorsPerTile]) {
  for (int64_t k = g * call.group; k < groupEnd(call, g); k += 8, stream += 64) {
    prefetch(stream);
    const uint8_t* x = activations + k / 64 * 1024 + k % 64;
    int8x16_t low[vectorsPerTile], high[vectorsPerTile];
    for (int v = 0; v < vectorsPerTile; v++) {
      const uint8x16_t bytes = vreinterpretq_u8_u32(loadWords(stream + v * 16));
      low[v] = vreinterpretq_s8_u8(vandq_u8(bytes, vdupq_n_u8(15)));
      high[v] = vreinterpretq_s8_u8(vshrq_n_u8(bytes, 4));
    }
    for (int row = 0; row < rows; row++) {
      const int8x16_t first = broadcastQuad(x + row * 64), second = broadcastQuad(x + row * 64 + 4);
      for (int v = 0; v < vectorsPerTile; v++)
        dots[row][v] = vdotq_s32(vdotq_s32(dots[row][v], low[v], first), high[v], second);
    }
  }
}

template <int Tokens> void multiplyBlock(const LinearCall& call, const PreparedBlock& block, int64_t t, int64_t tile) {
  const int64_t groups = groupCount(call);
  const uint8_t* activations = byteRows<2>(call, block, t);
  const uint8_t* stream = tileAt(call, tile);
  GroupRows rowsOf[vectorsPerTile];
  for (int v = 0; v < vectorsPerTile; v++) rowsOf[v] = GroupRows(call, tile, v * lanes);
  Vector sums[Tokens][vectorsPerTile] = {};
  for (int64_t g = 0; g < groups; g++) {
    int32x4_t dots[2 * Tokens][vectorsPerTile] = {};
    multiplyGroup<2 * Tokens>(call, g, activations, stream, dots);
    for (int v = 0; v < vectorsPerTile; v++) {
      const Vector scales = rowsOf[v].scales(g);
      const Words zeros = rowsOf[v].zeros(g);
      for (int token = 0; token < Tokens; token++) {
        const int32x4_t dot = vaddq_s32(vshlq_n_s32(dots[2 * token][v], 8), dots[2 * token + 1][v]);
        sums[token][v] = addGroup(sums[token][v], vreinterpretq_u32_s32(dot), zeros,
                                  block.groupSum[(t + token) * groups + g], scales);
      }
    }
  }
  const int64_t rest = block.tokenCount - t;
  // Unrolled in full: an index that is not constant would keep the sums in memory instead of registers.
#pragma GCC unroll 2
  for (int token = 0; token < Tokens; token++) {
    if (token >= rest) break;
    float results[tileRows];
    for (int v = 0; v < vectorsPerTile; v++) storeFloats(results + v * lanes, sums[token][v]);
    storeSums(call, block, t + token, tile, results);
  }
}

// Tiles outside, tokens inside: a tile comes from memory once and stays in a cache for the other tokens.
void multiply(const LinearCall& call, const PreparedBlock& block, int64_t firstTile, int64_t lastTile) {
  for (int64_t tile = firstTile; tile < lastTile; tile++) {
    int64_t t = 0;
    for (; t + 2 <= block.tokenCount; t += 2) multiplyBlock<2>(call, block, t, tile);
    if (t < block.tokenCount) multiplyBlock<1>(call, block, t, tile);
  }
}

}  // namespace

const LinearKernel int4Dotprod = {2, groupTokens, prepare, multiply};

}  // namespace aloft
