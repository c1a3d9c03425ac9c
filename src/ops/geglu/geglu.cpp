#include "cpu-kernel.h"
#include "ops/cpu/api.h"
#include "ops/cpu/pool.h"
#include <algorithm>

ALOFT_DECLARE_LEVELS(void, gegluSpan, (const float*, const float*, float*, int64_t))

// out = gelu(gateUp[:, :inter]) * gateUp[:, inter:]  gateUp [rows, 2 * inter] f32, out [rows, inter] f32
ALOFT_API void aloft_geglu(uint64_t poolAddress, uint64_t gateUpAddress, uint64_t outAddress, int64_t rows,
                           int64_t inter) {
  using namespace aloft;
  Pool* pool = pointer<Pool>(poolAddress);
  const float* gateUp = pointer<const float>(gateUpAddress);
  float* out = pointer<float>(outAddress);
  const auto span = ALOFT_SELECT(poolIsa(pool), gegluSpan);
  constexpr int64_t spanColumns = 1024;
  const int64_t spansPerRow = (inter + spanColumns - 1) / spanColumns;
  parallelFor(pool, rows * spansPerRow, 8, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      const int64_t row = i / spansPerRow;
      const int64_t column = i % spansPerRow * spanColumns;
      const float* gate = gateUp + row * 2 * inter + column;
      span(gate, gate + inter, out + row * inter + column, std::min(spanColumns, inter - column));
    }
  });
}
