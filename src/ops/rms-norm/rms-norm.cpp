#include "cpu-kernel.h"
#include "ops/cpu/api.h"
#include "ops/cpu/pool.h"
#include <algorithm>

ALOFT_DECLARE_LEVELS(void, rmsNormRow, (float*, const float*, const float*, float*, int64_t, float))

// out = rmsNorm(x += delta) * weight; delta 0 adds nothing.  x, delta, out [rows, columns] f32, weight [columns] f32
ALOFT_API void aloft_rms_norm(uint64_t poolAddress, uint64_t xAddress, uint64_t deltaAddress, uint64_t weightAddress,
                              uint64_t outAddress, int64_t rows, int64_t columns, double epsilon) {
  using namespace aloft;
  Pool* pool = pointer<Pool>(poolAddress);
  float* x = pointer<float>(xAddress);
  const float* delta = pointer<const float>(deltaAddress);
  const float* weight = pointer<const float>(weightAddress);
  float* out = pointer<float>(outAddress);
  const auto row = ALOFT_SELECT(poolIsa(pool), rmsNormRow);
  // Below some 16 KiB a thread, waking the others costs more than it saves.
  const int64_t granularity = std::max<int64_t>(1, 4096 / columns);
  parallelFor(pool, rows, granularity, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; r++) {
      const int64_t at = r * columns;
      row(x + at, delta == nullptr ? nullptr : delta + at, weight, out + at, columns, static_cast<float>(epsilon));
    }
  });
}
