// Body of the GeGLU kernels, compiled for each instruction set.
#pragma once
#include "ops/cpu/simd.h"

namespace aloft::ALOFT_ISA {

// out[i] = gelu(gate[i]) * up[i]. (1 + tanh(u)) / 2 is 1 / (1 + exp(-2 u)).
void gegluSpan(const float* gate, const float* up, float* out, int64_t count) {
  const F32x16 one = broadcast(1.0f);
  // -2 sqrt(2 / pi), and 0.044715 times it.
  const F32x16 linear = broadcast(-1.5957691216f), cubic = broadcast(-0.0713548163f);
  const auto gated = [&](F32x16 g, F32x16 u) { return g / (one + exp(g * fma(g * g, cubic, linear))) * u; };
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) store(out + i, gated(load(gate + i), load(up + i)));
  const int64_t rest = count - i;
  if (rest > 0) storePartial(out + i, gated(loadPartial(gate + i, rest), loadPartial(up + i, rest)), rest);
}

}  // namespace aloft::ALOFT_ISA
