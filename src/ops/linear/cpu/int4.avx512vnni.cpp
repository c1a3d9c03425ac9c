// int4 weights with vpdpbusd: codes are its unsigned bytes, activations its signed ones. Halves of bytes become bytes
// in registers, so that four bits a weight are read.
#include "int4-vectors.h"

namespace aloft {
namespace {

int64_t groupTokens(int64_t) { return rowGroupTokens; }

void prepare(const LinearCall& call, const PreparedBlock& block, int64_t first, int64_t last) {
  prepareGroupBytes(call, block, first, last);
}

ALOFT_INLINE Words broadcastQuad(const uint8_t* x) {
  int32_t quad;
  std::memcpy(&quad, x, 4);
  return broadcastWord(quad);
}

template <int Tokens, int Tiles>
void multiplyBlock(const LinearCall& call, const PreparedBlock& block, int64_t t, int64_t tile) {
  constexpr int rows = 2 * Tokens;
  const int64_t groups = groupCount(call);
  const Words mask = _mm512_set1_epi8(15);
  const uint8_t* stream[Tiles];
  GroupRows groupRowsOf[Tiles];
  Vector sums[Tiles][Tokens] = {};
  for (int i = 0; i < Tiles; i++) {
    stream[i] = tileAt(call, tile + i);
    groupRowsOf[i] = GroupRows(call, tile + i, 0);
  }
  const uint8_t* activations = byteRows<2>(call, block, t);
  for (int64_t g = 0; g < groups; g++) {
    Words dots[Tiles][rows] = {};
    for (int64_t k = g * call.group; k < groupEnd(call, g); k += 32) {
      const uint8_t* x = activations + k / 64 * 1024 + k % 64;
#pragma GCC unroll 4
      for (int pair = 0; pair < 4; pair++) {
        Words low[Tiles], high[Tiles];
        for (int i = 0; i < Tiles; i++) {
          prefetch(stream[i] + pair * 64);
          const Words bytes = loadWords(stream[i] + pair * 64);
          low[i] = both(bytes, mask);
          high[i] = both(shiftWords<4>(bytes), mask);
        }
        for (int row = 0; row < rows; row++) {
          const Words first = broadcastQuad(x + row * 64 + pair * 8);
          for (int i = 0; i < Tiles; i++) dots[i][row] = _mm512_dpbusd_epi32(dots[i][row], low[i], first);
        }
        for (int row = 0; row < rows; row++) {
          const Words second = broadcastQuad(x + row * 64 + pair * 8 + 4);
          for (int i = 0; i < Tiles; i++) dots[i][row] = _mm512_dpbusd_epi32(dots[i][row], high[i], second);
        }
      }
      for (int i = 0; i < Tiles; i++) stream[i] += 256;
    }
    for (int i = 0; i < Tiles; i++) {
      const Vector scales = groupRowsOf[i].scales(g);
      const Words zeros = groupRowsOf[i].zeros(g);
      for (int token = 0; token < Tokens; token++) {
        const Words dot = add(_mm512_slli_epi32(dots[i][2 * token], 8), dots[i][2 * token + 1]);
        sums[i][token] = addGroup(sums[i][token], dot, zeros, block.groupSum[(t + token) * groups + g], scales);
      }
    }
  }
  const int64_t rest = block.tokenCount - t;
  // Unrolled in full: an index that is not constant would keep the sums in memory instead of registers.
#pragma GCC unroll 4
  for (int i = 0; i < Tiles; i++) {
#pragma GCC unroll 4
    for (int token = 0; token < Tokens; token++) {
      if (token >= rest) break;
      alignas(64) float results[tileRows];
      storeFloats(results, sums[i][token]);
      storeSums(call, block, t + token, tile + i, results);
    }
  }
}

template <int Tiles> void multiplyTiles(const LinearCall& call, const PreparedBlock& block, int64_t tile) {
  for (int64_t t = 0; t < block.tokenCount; t += 4) {
    const int64_t rest = block.tokenCount - t;
    if (rest == 1)
      multiplyBlock<1, Tiles>(call, block, t, tile);
    else if (rest == 2)
      multiplyBlock<2, Tiles>(call, block, t, tile);
    else
      multiplyBlock<4, Tiles>(call, block, t, tile);  // of 3 tokens, with one too many
  }
}

// Up to here one tile at a time is faster: weights come from memory, and one stream comes faster than two.
constexpr int64_t maxStreamedTokens = 2;

// Tiles outside, tokens inside: a group of tiles comes from memory once and stays in the L2 cache for the other tokens.
void multiply(const LinearCall& call, const PreparedBlock& block, int64_t firstTile, int64_t lastTile) {
  int64_t tile = firstTile;
  if (block.tokenCount > maxStreamedTokens)
    for (; tile + 2 <= lastTile; tile += 2) multiplyTiles<2>(call, block, tile);
  for (; tile < lastTile; tile++) multiplyTiles<1>(call, block, tile);
}

}  // namespace

const LinearKernel int4Avx512Vnni = {2, groupTokens, prepare, multiply};

}  // namespace aloft
