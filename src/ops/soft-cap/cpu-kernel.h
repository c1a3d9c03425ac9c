// Body of the soft cap kernels, compiled for each instruction set.
#pragma once
#include "ops/cpu/simd.h"

namespace aloft::ALOFT_ISA {

// x[i] = cap * tanh(x[i] / cap)
void softCapSpan(float* x, float cap, int64_t count) {
  const F32x16 limit = broadcast(cap);
  for (int64_t i = 0; i < count; i += lanes) {
    const int64_t rest = count - i < lanes ? count - i : lanes;
    storePartial(x + i, softCapped(loadPartial(x + i, rest), limit), rest);
  }
}

}  // namespace aloft::ALOFT_ISA
