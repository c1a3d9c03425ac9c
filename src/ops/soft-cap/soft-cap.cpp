#include "cpu-kernel.h"
#include "ops/cpu/api.h"
#include "ops/cpu/pool.h"

ALOFT_DECLARE_LEVELS(void, softCapSpan, (float*, float, int64_t))

// x = cap * tanh(x / cap)  [count] f32
ALOFT_API void aloft_soft_cap(uint64_t poolAddress, uint64_t xAddress, double cap, int64_t count) {
  using namespace aloft;
  Pool* pool = pointer<Pool>(poolAddress);
  float* x = pointer<float>(xAddress);
  const auto span = ALOFT_SELECT(poolIsa(pool), softCapSpan);
  parallelFor(pool, count, 8192,
              [&](int64_t begin, int64_t end) { span(x + begin, static_cast<float>(cap), end - begin); });
}
