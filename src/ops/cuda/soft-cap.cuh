// The soft cap of scores and logits.
#pragma once

// cap * tanh(x / cap). The tanh of fast arithmetic has eleven exact bits; this has twenty.
__device__ __forceinline__ float soft_capped(float x, float cap) {
  return cap - 2.f * cap / (__expf(2.f * x / cap) + 1.f);
}
