// Packs a whole weight on all threads, a tile at a time.
#include "ops/cpu/pool.h"
#include "pack-report.h"

namespace aloft {
namespace {

PackTile packTile(Isa isa) {
#if defined(__x86_64__)
  if (isa >= Isa::avx512) return packTileAvx512;
  if (isa == Isa::avx2) return packTileAvx2;
#endif
  (void)isa;
  return packTilePortable;
}

}  // namespace
}  // namespace aloft

// report: 4 f64, the fields of PackReport in order.
ALOFT_API void aloft_linear_pack(uint64_t poolAddress, int tiled, int sourceDType, uint64_t source, int64_t sourceRows,
                                 int64_t inCount, int64_t outCount, int format, uint64_t weight, uint64_t scale,
                                 uint64_t sum, uint64_t report) {
  using namespace aloft;
  Pool* pool = pointer<Pool>(poolAddress);
  const LinearFormat kind = static_cast<LinearFormat>(format);
  const PackCall call = {tiled != 0,
                         static_cast<DType>(sourceDType),
                         pointer<const uint8_t>(source),
                         sourceRows,
                         inCount,
                         outCount,
                         kind,
                         tiled ? paddedInput(kind, inCount) : inCount,
                         pointer<uint8_t>(weight),
                         pointer<float>(scale),
                         pointer<int32_t>(sum)};
  const PackTile kernel = packTile(poolIsa(pool));
  std::vector<PackReport> reports(roundUp(outCount, tileRows) / tileRows);
  parallel(pool, [&](Team& team) {
    const auto [first, last] = team.range(static_cast<int64_t>(reports.size()));
    float* rows = static_cast<float*>(poolScratch(pool, team.thread, tileRows * inCount * int64_t{sizeof(float)}));
    for (int64_t tile = first; tile < last; tile++) reports[tile] = kernel(call, tile, rows);
  });
  const PackReport sumOfAll = totalOf(reports);
  std::memcpy(pointer<void>(report), &sumOfAll, sizeof sumOfAll);
}
