// Body of the SwiGLU kernels, compiled for each instruction set.
#pragma once
#include "ops/cpu/simd.h"

namespace aloft::ALOFT_ISA {

// out[i] = gate[i] / (1 + exp(-gate[i])) * up[i]
void swigluSpan(const float* gate, const float* up, float* out, int64_t count) {
  const F32x16 zero = broadcast(0.0f), one = broadcast(1.0f);
  const auto gated = [&](F32x16 g, F32x16 u) { return g / (one + exp(zero - g)) * u; };
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) store(out + i, gated(load(gate + i), load(up + i)));
  const int64_t rest = count - i;
  if (rest > 0) storePartial(out + i, gated(loadPartial(gate + i, rest), loadPartial(up + i, rest)), rest);
}

}  // namespace aloft::ALOFT_ISA
