// Row-major checkpoint weights into the tiles of linear.h, or into rows of another type (for tables and vectors).
#pragma once
#include "linear.h"

namespace aloft {

struct PackCall {
  bool tiled;  // or row-major: then paddedIn = in
  DType sourceDType;
  const uint8_t* source;  // [sourceRows, in], not necessarily aligned
  int64_t sourceRows, inCount, outCount;
  LinearFormat format;
  int64_t paddedIn;
  uint8_t* weight;  // [tiles], tileBytes each
  float* scale;     // [rows], int8 and fp8 only; rows = tiles * 16, or out if row-major
  int32_t* sum;     // [rows], int8 tiles only
};

struct PackReport {
  double squaredError = 0, squaredSum = 0;
  double overflowCount = 0;   // finite values that the format cannot hold
  double nonFiniteCount = 0;  // infinities and NaNs of the source
};

// Where input k of a row of the tile goes: `together` inputs of a row lie side by side.
struct Place {
  bool tiled;
  int64_t together, inCount;

  [[gnu::always_inline]] int64_t operator()(int64_t row, int64_t k) const {
    return tiled ? k / together * together * tileRows + row * together + k % together : row * inCount + k;
  }
};

// Packs one tile, or 16 rows; rows beyond the source are zero. `rows` is scratch: 16 * in floats.
using PackTile = PackReport (*)(const PackCall& call, int64_t tile, float* rows);
PackReport packTilePortable(const PackCall& call, int64_t tile, float* rows);
PackReport packTileAvx2(const PackCall& call, int64_t tile, float* rows);
PackReport packTileAvx512(const PackCall& call, int64_t tile, float* rows);

}  // namespace aloft
