// Tile registers as all kernels here use them: eight of 16 rows by 64 bytes.
#pragma once
#include <cstdint>
#include <immintrin.h>

namespace aloft {
namespace {

// Configures the tiles of this thread; releases them at the end, so that context switches need not save them.
struct TileScope {
  TileScope() {
    struct alignas(64) {
      uint8_t palette = 1, startRow = 0, reserved[14] = {};
      uint16_t bytesPerRow[16] = {64, 64, 64, 64, 64, 64, 64, 64};
      uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
    } config;
    _tile_loadconfig(&config);
  }
  ~TileScope() { _tile_release(); }
  TileScope(const TileScope &) = delete;
  TileScope &operator=(const TileScope &) = delete;
};

} // namespace
} // namespace aloft

