#include "limits.h"
#include "amx-registers.h"

namespace aloft {

double peakInt8Amx(int64_t rounds) {
  const TileScope scope;
  for (int64_t round = 0; round < rounds; round++) {
    _tile_dpbssd(0, 4, 6);
    _tile_dpbssd(1, 4, 7);
    _tile_dpbssd(2, 5, 6);
    _tile_dpbssd(3, 5, 7);
  }
  return 2.0 * 4 * 16 * 16 * 64 * static_cast<double>(rounds);
}

double peakBf16Amx(int64_t rounds) {
  const TileScope scope;
  for (int64_t round = 0; round < rounds; round++) {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  return 2.0 * 4 * 16 * 16 * 32 * static_cast<double>(rounds);
}

}  // namespace aloft
