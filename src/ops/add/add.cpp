#include "ops/cpu/api.h"
#include "ops/cpu/pool.h"

// residual += delta  [count] f32
ALOFT_API void aloft_add(uint64_t poolAddress, uint64_t residualAddress, uint64_t deltaAddress, int64_t count) {
  using namespace aloft;
  float* residual = pointer<float>(residualAddress);
  const float* delta = pointer<const float>(deltaAddress);
  parallelFor(pointer<Pool>(poolAddress), count, 16384, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) residual[i] += delta[i];
  });
}
