// int8 weights with AMX: tdpbssd multiplies 16 rows of 64 activation bytes by 64 inputs of 16 output rows.
// Instructions: Intel Architecture Instruction Set Extensions Programming Reference, chapter "Intel AMX".
#include "amx.h"
#include "quantise.h"

namespace aloft {
namespace {

void prepare(const LinearCall &call, const PreparedBlock &block, int64_t first, int64_t last) {
  quantiseToBytes(call, block, first, last, 0);
}

void storeGroup(const LinearCall &call, const PreparedBlock &block, int64_t group, int64_t tile, const int32_t (&sums)[16][16]) {
  const int64_t t = group * preparedTokenGroup;
  for (int64_t i = 0; i < preparedTokenGroup && t + i < block.tokenCount; i++)
    storeHighLow(call, block, t + i, tile, sums[2 * i], sums[2 * i + 1]);
}

// Groups of 8 tokens (one A tile each) by tiles of 16 outputs (one B tile each): up to 2 by 2, which uses all 8 registers.
template <int Groups, int Tiles> void multiplyBlock(const LinearCall &call, const PreparedBlock &block, int64_t group, int64_t tile) {
  const int64_t groupBytes = call.paddedIn * 16;
  const uint8_t *x = block.activations + group * groupBytes;
  const uint8_t *stream = tileAt(call, tile);
  _tile_zero(0);
  if constexpr (Tiles == 2) _tile_zero(1);
  if constexpr (Groups == 2) _tile_zero(2);
  if constexpr (Groups == 2 && Tiles == 2) _tile_zero(3);
  for (int64_t k = 0; k < groupBytes; k += 1024) {
    for (int line = 0; line < 1024; line += 64) {
      prefetch(stream + k + line);
      if constexpr (Tiles == 2) prefetch(stream + groupBytes + k + line);
    }
    _tile_loadd(4, x + k, 64);
    _tile_loadd(6, stream + k, 64);
    _tile_dpbssd(0, 4, 6);
    if constexpr (Tiles == 2) {
      _tile_loadd(7, stream + groupBytes + k, 64);
      _tile_dpbssd(1, 4, 7);
    }
    if constexpr (Groups == 2) {
      _tile_loadd(5, x + groupBytes + k, 64);
      _tile_dpbssd(2, 5, 6);
      if constexpr (Tiles == 2) _tile_dpbssd(3, 5, 7);
    }
  }
  alignas(64) int32_t sums[4][16][16];
  _tile_stored(0, sums[0], 64);
  if constexpr (Tiles == 2) _tile_stored(1, sums[1], 64);
  if constexpr (Groups == 2) _tile_stored(2, sums[2], 64);
  if constexpr (Groups == 2 && Tiles == 2) _tile_stored(3, sums[3], 64);
  for (int g = 0; g < Groups; g++) {
    for (int i = 0; i < Tiles; i++) storeGroup(call, block, group + g, tile + i, sums[g * 2 + i]);
  }
}

template <int Tiles> void multiplyTiles(const LinearCall &call, const PreparedBlock &block, int64_t tile) {
  const int64_t groups = roundUp(block.tokenCount, preparedTokenGroup) / preparedTokenGroup;
  int64_t group = 0;
  for (; group + 2 <= groups; group += 2) multiplyBlock<2, Tiles>(call, block, group, tile);
  if (group < groups) multiplyBlock<1, Tiles>(call, block, group, tile);
}

void multiply(const LinearCall &call, const PreparedBlock &block, int64_t firstTile, int64_t lastTile) {
  const TileScope tiles;
  int64_t tile = firstTile;
  for (; tile + 2 <= lastTile; tile += 2) multiplyTiles<2>(call, block, tile);
  if (tile < lastTile) multiplyTiles<1>(call, block, tile);
}

} // namespace

const PreparedKernels int8Amx = {prepare, multiply};

} // namespace aloft
