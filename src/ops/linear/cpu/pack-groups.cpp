// Packs int4 weights in groups that are quantised already, a tile of 16 rows at a time on all threads.
#include "ops/cpu/pool.h"
#include "linear.h"

namespace aloft {
namespace {

struct GroupsCall {
  const int8_t* codes;     // [sourceRows, in]
  const uint16_t* scales;  // [sourceRows, groups] f16
  const uint8_t* zeros;    // [sourceRows, groups], or null
  int64_t sourceRows, inCount, groupCount;
  uint8_t* weight;  // tiles
  uint16_t* scale;  // [tiles, groups, 16]
  uint8_t* zero;    // [tiles, groups, 16], or null
};

// Rows beyond the source have scales of zero.
void packTileOfGroups(const GroupsCall& call, int64_t tile) {
  const int64_t bytes = tileBytes(LinearFormat::int4, paddedInput(LinearFormat::int4, call.inCount));
  uint8_t* target = call.weight + tile * bytes;
  uint16_t* scale = call.scale + tile * call.groupCount * tileRows;
  uint8_t* zero = call.zero == nullptr ? nullptr : call.zero + tile * call.groupCount * tileRows;
  const int8_t shift = zero == nullptr ? 8 : 0;
  std::memset(target, 0, bytes);
  for (int64_t i = 0; i < tileRows; i++) {
    const int64_t row = tile * tileRows + i;
    const bool exists = row < call.sourceRows;
    for (int64_t k = 0; exists && k < call.inCount; k++) {
      const uint8_t code = static_cast<uint8_t>(call.codes[row * call.inCount + k] + shift);
      target[k / 8 * 64 + i * 4 + k % 4] |= static_cast<uint8_t>(k % 8 < 4 ? code : code << 4);
    }
    for (int64_t g = 0; g < call.groupCount; g++) {
      const int64_t from = row * call.groupCount + g, to = g * tileRows + i;
      scale[to] = exists ? call.scales[from] : 0;
      if (zero != nullptr) zero[to] = exists ? call.zeros[from] : 0;
    }
  }
}

}  // namespace
}  // namespace aloft

// Addresses of zeros and zero are 0 in formats without zeros, those of orders, [in] i32, where codes lie as inputs do.
ALOFT_API void aloft_linear_pack_groups(uint64_t poolAddress, int64_t group, uint64_t codes, uint64_t scales,
                                        uint64_t zeros, uint64_t sourceOrder, int64_t sourceRows, int64_t inCount,
                                        int64_t outCount, uint64_t weight, uint64_t scale, uint64_t zero,
                                        uint64_t order) {
  using namespace aloft;
  const GroupsCall call = {pointer<const int8_t>(codes),
                           pointer<const uint16_t>(scales),
                           pointer<const uint8_t>(zeros),
                           sourceRows,
                           inCount,
                           (inCount + group - 1) / group,
                           pointer<uint8_t>(weight),
                           pointer<uint16_t>(scale),
                           pointer<uint8_t>(zero)};
  if (order != 0) std::memcpy(pointer<void>(order), pointer<const void>(sourceOrder), inCount * sizeof(int32_t));
  parallel(pointer<Pool>(poolAddress), [&](Team& team) {
    const auto [first, last] = team.range(roundUp(outCount, tileRows) / tileRows);
    for (int64_t tile = first; tile < last; tile++) packTileOfGroups(call, tile);
  });
}
