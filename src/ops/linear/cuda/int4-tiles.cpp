// Row-major int4 codes with scales and zeros of groups -> the tiles of the CUDA kernels (see int4-tiles.ts), on all
// threads.
#include "ops/cpu/pool.h"
#include <algorithm>
#include <cstring>

namespace aloft {
namespace {

constexpr int64_t int4TileRows = 16, int4TileColumns = 128, int4CodeBytes = int4TileRows * int4TileColumns / 2;
// Nibble of a weight of 0 where there are no zeros.
constexpr int int4Offset = 8;

struct Int4Source {
  const int8_t* codes;     // [rows, columns]
  const uint16_t* scales;  // [rows, groups] f16
  const uint8_t* zeros;    // [rows, groups] or null
  int64_t rows, columns, group;

  int64_t groups() const { return (columns + group - 1) / group; }
};

// Nibbles of a tile's row from column `column0` on, a byte each. Outside of the matrix weights are 0.
void readRow(const Int4Source& source, int64_t row, int64_t column0, uint8_t (&nibbles)[int4TileColumns]) {
  for (int64_t from = 0; from < int4TileColumns; from += source.group) {
    const int64_t group = (column0 + from) / source.group, left = source.columns - column0 - from;
    const bool isInside = row < source.rows && left > 0;
    const int zero = source.zeros == nullptr ? int4Offset : isInside ? source.zeros[row * source.groups() + group] : 0;
    std::memset(nibbles + from, zero, source.group);
    if (!isInside) continue;
    const int8_t* codes = source.codes + row * source.columns + column0 + from;
    const int offset = source.zeros == nullptr ? int4Offset : 0;
    for (int64_t i = 0; i < std::min(left, source.group); i++)
      nibbles[from + i] = static_cast<uint8_t>(codes[i] + offset);
  }
}

// Places the 8 bytes of each of the four lanes of a row, in both boxes. A product of 16 columns takes columns 2t,
// 2t + 1, 2t + 8 and 2t + 9 from lane t; a word has those of two products.
void placeRow(const uint8_t (&nibbles)[int4TileColumns], uint8_t* row) {
  for (int64_t word = 0; word < 16; word++) {
    const int64_t box = word / 8, lane = word / 2 % 4, half = word % 2;
    const uint8_t* from = nibbles + box * 64 + half * 32 + lane * 2;
    uint32_t bits = 0;
    for (int i = 0; i < 8; i++) bits |= static_cast<uint32_t>(from[i % 2 * 16 + i / 2 % 2 * 8 + i / 4]) << 4 * i;
    std::memcpy(row + box * (int4CodeBytes / 2) + lane * 8 + half * 4, &bits, 4);
  }
}

// [2 boxes][rows 0-7, 8-15][row % 8][32 bytes], then scales and zeros, [group][row].
void fillInt4Tile(const Int4Source& source, int64_t row0, int64_t column0, uint8_t* tile, int64_t tileBytes) {
  std::memset(tile, 0, tileBytes);
  const int64_t tileGroups = int4TileColumns / source.group;
  uint8_t *scales = tile + int4CodeBytes, *zeros = scales + tileGroups * int4TileRows * 2;
  for (int64_t row = 0; row < int4TileRows; row++) {
    uint8_t nibbles[int4TileColumns];
    readRow(source, row0 + row, column0, nibbles);
    placeRow(nibbles, tile + row / 8 * (int4CodeBytes / 4) + row % 8 * 32);
    if (row0 + row >= source.rows) continue;
    for (int64_t i = 0; i < tileGroups; i++) {
      const int64_t group = column0 / source.group + i, from = (row0 + row) * source.groups() + group;
      if (group >= source.groups()) break;
      std::memcpy(scales + (i * int4TileRows + row) * 2, source.scales + from, 2);
      if (source.zeros != nullptr) zeros[i * int4TileRows + row] = source.zeros[from];
    }
  }
}

}  // namespace
}  // namespace aloft

// codes [sourceRows, columns] i8, scales [sourceRows, groups] f16, zeros [sourceRows, groups] u8 or 0
// -> target [ceil(rows / 16), ceil(columns / 128), bytes of a tile] u8
ALOFT_API void aloft_linear_cuda_int4_tiles(uint64_t poolAddress, uint64_t codes, uint64_t scales, uint64_t zeros,
                                            int64_t sourceRows, int64_t rows, int64_t columns, int64_t group,
                                            uint64_t target) {
  using namespace aloft;
  const Int4Source source{pointer<const int8_t>(codes),
                          pointer<const uint16_t>(scales),
                          pointer<const uint8_t>(zeros),
                          sourceRows,
                          columns,
                          group};
  const int64_t across = (columns + int4TileColumns - 1) / int4TileColumns;
  const int64_t tileBytes = int4CodeBytes + int4TileColumns / group * int4TileRows * (source.zeros == nullptr ? 2 : 3);
  parallel(pointer<Pool>(poolAddress), [&](Team& team) {
    const auto [first, last] = team.range((rows + int4TileRows - 1) / int4TileRows);
    for (int64_t i = first; i < last; i++)
      for (int64_t j = 0; j < across; j++)
        fillInt4Tile(source, i * int4TileRows, j * int4TileColumns,
                     pointer<uint8_t>(target) + (i * across + j) * tileBytes, tileBytes);
  });
}
