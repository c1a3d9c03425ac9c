// The tile registers of Intel AMX, as all kernels here use them: eight of 16 rows by 64 bytes.
// Instructions: Intel Architecture Instruction Set Extensions Programming Reference, chapter "Intel AMX".
#pragma once
#include <cstdint>
#include <immintrin.h>

namespace aloft {
namespace {

constexpr int64_t registerBytes = 1024;

struct alignas(64) TileConfiguration {
  uint8_t palette = 1, startRow = 0, reserved[14] = {};
  uint16_t bytesPerRow[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
constexpr TileConfiguration configuration;

// Configures the tile registers of this thread: eight, all full. Releases them at the end, so that context switches
// need not save them.
struct TileScope {
  // The intrinsic tells GCC 12 only of the first 8 bytes: stores to a local configuration would be left out as dead.
  TileScope() { _tile_loadconfig(&configuration); }
  ~TileScope() { _tile_release(); }
  TileScope(const TileScope&) = delete;
  TileScope& operator=(const TileScope&) = delete;
};

}  // namespace
}  // namespace aloft
