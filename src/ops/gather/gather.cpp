#include "ops/cpu/api.h"
#include "ops/cpu/pool.h"
#include <cstring>

// out[i] = x[rows[i]]  x [tokens, columns] f32, rows [count] i32, out [count, columns] f32
ALOFT_API void aloft_gather(uint64_t poolAddress, uint64_t xAddress, uint64_t rowsAddress, uint64_t outAddress,
                            int64_t count, int64_t columns) {
  using namespace aloft;
  const float* x = pointer<const float>(xAddress);
  const int32_t* rows = pointer<const int32_t>(rowsAddress);
  float* out = pointer<float>(outAddress);
  parallelFor(pointer<Pool>(poolAddress), count, 8, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++)
      std::memcpy(out + i * columns, x + rows[i] * columns, columns * sizeof(float));
  });
}
