// Row-major int8 and fp8 weights -> the tiles of the CUDA kernels (see tiles.ts), on all threads.
#include "ops/cpu/pool.h"
#include <cstring>

namespace aloft {
namespace {

constexpr int64_t cudaTileRows = 16, cudaTileColumns = 64, laneBytes = 16, tileBytes = cudaTileRows * cudaTileColumns;

// Place of a column of a tile among the 16 bytes of the four lanes of a row. The operand of a matrix product of 16
// columns has columns 2t, 2t + 1, 2t + 8 and 2t + 9 in lane t: four bytes of each of the tile's four products.
int64_t placeOfColumn(int64_t column) {
  const int64_t product = column / 16, half = column / 8 % 2, lane = column / 2 % 4;
  return lane * laneBytes + product * 4 + half * 2 + column % 2;
}

// [rows 0-7, 8-15][row % 8][place of column], each byte with `offset` added; outside the matrix the code is 0.
void fillTile(const int8_t* source, int64_t rows, int64_t columns, int64_t row0, int64_t column0, int offset,
              uint8_t* tile) {
  std::memset(tile, offset, tileBytes);
  for (int64_t row = 0; row < cudaTileRows && row0 + row < rows; row++) {
    const int8_t* from = source + (row0 + row) * columns + column0;
    const int64_t count = columns - column0 < cudaTileColumns ? columns - column0 : cudaTileColumns;
    uint8_t* to = tile + row / 8 * (tileBytes / 2) + row % 8 * cudaTileColumns;
    for (int64_t column = 0; column < count; column++)
      to[placeOfColumn(column)] = static_cast<uint8_t>(from[column] + offset);
  }
}

}  // namespace
}  // namespace aloft

// source [rows, columns] bytes -> target [ceil(rows / 16), ceil(columns / 64), 1024] u8
ALOFT_API void aloft_linear_cuda_tiles(uint64_t poolAddress, uint64_t source, int64_t rows, int64_t columns, int offset,
                                       uint64_t target) {
  using namespace aloft;
  const int64_t across = (columns + cudaTileColumns - 1) / cudaTileColumns;
  parallel(pointer<Pool>(poolAddress), [&](Team& team) {
    const auto [first, last] = team.range((rows + cudaTileRows - 1) / cudaTileRows);
    for (int64_t i = first; i < last; i++)
      for (int64_t j = 0; j < across; j++)
        fillTile(pointer<const int8_t>(source), rows, columns, i * cudaTileRows, j * cudaTileColumns, offset,
                 pointer<uint8_t>(target) + (i * across + j) * tileBytes);
  });
}
