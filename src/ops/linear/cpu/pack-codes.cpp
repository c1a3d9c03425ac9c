// Packs int8 and fp8 weights that are quantised already, a tile of 16 rows at a time on all threads.
#include "ops/cpu/pool.h"
#include "pack.h"
#include <cstring>

namespace aloft {
namespace {

struct CodesCall {
  bool tiled;
  LinearFormat format;
  const int8_t* codes;  // [sourceRows, in], i8 or E4M3
  const float* scales;  // [sourceRows]
  int64_t sourceRows, inCount, outCount;
  int8_t* weight;
  float* scale;  // [rows]; rows = tiles * 16, or out if row-major
  int32_t* sum;  // [rows], int8 tiles only
};

// Rows beyond the source are zero, with a scale of zero.
void packTileOfCodes(const CodesCall& call, int64_t tile) {
  const int64_t bytes = tileBytes(call.format, call.tiled ? paddedInput(call.format, call.inCount) : call.inCount);
  const int64_t rest = call.outCount - tile * tileRows;
  const int64_t rowCount = call.tiled || rest > tileRows ? tileRows : rest;
  int8_t* target = call.weight + tile * bytes;
  const Place place = {call.tiled, call.format == LinearFormat::int8 ? 4 : 1, call.inCount};
  std::memset(target, 0, call.tiled ? bytes : rowCount * call.inCount);
  for (int64_t i = 0; i < rowCount; i++) {
    const int64_t row = tile * tileRows + i;
    const bool exists = row < call.sourceRows;
    int32_t sum = 0;
    for (int64_t k = 0; exists && k < call.inCount; k++) {
      const int8_t code = call.codes[row * call.inCount + k];
      target[place(i, k)] = code;
      sum += code;
    }
    call.scale[row] = exists ? call.scales[row] : 0;
    if (call.sum != nullptr) call.sum[row] = sum;
  }
}

}  // namespace
}  // namespace aloft

ALOFT_API void aloft_linear_pack_codes(uint64_t poolAddress, int tiled, int format, uint64_t codes, uint64_t scales,
                                       int64_t sourceRows, int64_t inCount, int64_t outCount, uint64_t weight,
                                       uint64_t scale, uint64_t sum) {
  using namespace aloft;
  const CodesCall call = {tiled != 0,
                          static_cast<LinearFormat>(format),
                          pointer<const int8_t>(codes),
                          pointer<const float>(scales),
                          sourceRows,
                          inCount,
                          outCount,
                          pointer<int8_t>(weight),
                          pointer<float>(scale),
                          pointer<int32_t>(sum)};
  parallel(pointer<Pool>(poolAddress), [&](Team& team) {
    const auto [first, last] = team.range(roundUp(outCount, tileRows) / tileRows);
    for (int64_t tile = first; tile < last; tile++) packTileOfCodes(call, tile);
  });
}
