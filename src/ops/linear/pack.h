// Row-major checkpoint weights into the tiles of linear.h.
#pragma once
#include "linear.h"

namespace aloft {

struct PackCall {
  DType sourceDType;
  const uint8_t *source; // [sourceRows, in], not necessarily aligned
  int64_t sourceRows, inCount;
  LinearFormat format;
  int64_t paddedIn;
  uint8_t *weight; // [tiles], tileBytes each
  float *scale;    // [tiles * 16], int8 only
  int32_t *sum;    // [tiles * 16], int8 only
};

struct PackReport {
  double squaredError = 0, squaredSum = 0;
  double overflowCount = 0;  // finite values that the format cannot hold
  double nonFiniteCount = 0; // infinities and NaNs of the source
};

// Packs one tile; rows beyond the source are zero. `rows` is scratch: 16 * in floats.
using PackTile = PackReport (*)(const PackCall &call, int64_t tile, float *rows);
PackReport packTilePortable(const PackCall &call, int64_t tile, float *rows);
PackReport packTileAvx2(const PackCall &call, int64_t tile, float *rows);
PackReport packTileAvx512(const PackCall &call, int64_t tile, float *rows);

} // namespace aloft
