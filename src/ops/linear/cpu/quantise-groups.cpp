#include "ops/cpu/pool.h"
#include "pack-report.h"
#include "quantise-groups-body.h"

// Quantises [rows, in] to codes [rows, in], scales [rows, groups] and, if its address is not 0, zeros [rows, groups].
// report: 4 f64, the fields of PackReport in order.
ALOFT_API void aloft_linear_quantise_groups(uint64_t poolAddress, int sourceDType, uint64_t source, int64_t rows,
                                            int64_t inCount, int64_t group, uint64_t codes, uint64_t scales,
                                            uint64_t zeros, uint64_t report) {
  using namespace aloft;
  Pool* pool = pointer<Pool>(poolAddress);
  const DType dtype = static_cast<DType>(sourceDType);
  const auto quantise = ALOFT_SELECT(poolIsa(pool), quantiseGroup);
  const int64_t groupCount = (inCount + group - 1) / group;
  std::vector<PackReport> reports(rows);
  parallelFor(pool, rows, 1, [&](int64_t first, int64_t last) {
    std::vector<float> values(inCount);
    for (int64_t row = first; row < last; row++) {
      toFloats(dtype, pointer<const uint8_t>(source) + row * inCount * bytesPerElement(dtype), inCount, values.data());
      for (int64_t g = 0; g < groupCount; g++) {
        const int64_t begin = g * group, rest = inCount - begin, at = row * groupCount + g;
        const GroupTarget target = {pointer<int8_t>(codes) + row * inCount + begin, pointer<uint16_t>(scales) + at,
                                    zeros == 0 ? nullptr : pointer<uint8_t>(zeros) + at};
        quantise(values.data() + begin, rest < group ? rest : group, zeros != 0, target, reports[row]);
      }
    }
  });
  const PackReport all = totalOf(reports);
  std::memcpy(pointer<void>(report), &all, sizeof all);
}
