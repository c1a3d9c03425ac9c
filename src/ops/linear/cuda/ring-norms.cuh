// RMSNorm between two layers of ring.cu, without a kernel of its own: the layer before it adds its result to the
// residual, stores what the layer after it takes as x, and sums squares; the layer after it multiplies its sums by
// 1 / rms.
//
// Such an x is residual * weight, not divided by the rms, and a power of two brings it into range: the one that makes
// the largest weight 1 at most. So no x is larger than the residual, which is an activation. Both layers find that
// power before they wait for their predecessor. `norms` are the arguments of the layer (RingArgs).
#pragma once
#include "cuda/act.cuh"
#include "cuda/memory.cuh"
#include "cuda/warp.cuh"

// In shared memory, for the WARPS that multiply.
template <int WARPS, int TOKENS>
struct NormRoom {
  u32 largest[WARPS];
  float inverse[TOKENS];  // range / rms of the norm before
  float range;            // of the norm after
};

// The power of two that no weight of a norm exceeds in size.
template <int WARPS>
__device__ __forceinline__ float range_of_weights(const u16* weight, int count, u32 (&largest)[WARPS]) {
  u32 most = 0;
  for (int i = threadIdx.x * 8; i < count; i += WARPS * 32 * 8) {
    const Vec16 w = load16(weight + i);
#pragma unroll
    for (int j = 0; j < 4; j++) most = __vmaxu2(most, w.w[j] & 0x7fff7fffu);
  }
  most = max(most & 0xffffu, most >> 16);
#pragma unroll
  for (int mask = 16; mask > 0; mask >>= 1) most = max(most, __shfl_xor_sync(0xffffffffu, most, mask));
  if ((threadIdx.x & 31) == 0) largest[threadIdx.x >> 5] = most;
  sync_threads<WARPS * 32>();
  for (int i = 0; i < WARPS; i++) most = max(most, largest[i]);
  sync_threads<WARPS * 32>();
  return most == 0 ? 1.f : 2.f * __uint_as_float(__float_as_uint(act_to_float((u16)most)) & 0x7f800000u);
}

// 1 / rms of each token's residual, times `range`, with sums in an order that depends on k alone.
template <int WARPS, int TOKENS, typename Args>
__device__ __forceinline__ void find_inverses(const Args& norms, int m, int k, float range, float (&inverse)[TOKENS]) {
  const int lane = threadIdx.x & 31, count = k / 16;
#pragma unroll 1
  for (int token = threadIdx.x >> 5; token < min(m, TOKENS); token += WARPS) {
    float sum = 0.f;
#pragma unroll 2
    for (int i = lane * 4; i < count; i += 128) {
      const Vec16 v = load16(norms.squares + (size_t)token * count + i);
      sum += (__uint_as_float(v.w[0]) + __uint_as_float(v.w[1])) + (__uint_as_float(v.w[2]) + __uint_as_float(v.w[3]));
    }
    sum = warp_sum(sum);
    if (lane == 0) inverse[token] = range * rsqrtf(sum / k + norms.epsilon);
  }
}

// A result meets the residual at its token and row, and the row's weight of the norm after.
struct Meeting {
  u16 residual, weight;
};
template <typename Args>
__device__ __forceinline__ Meeting load_meeting(const Args& norms, int n, int token, int row) {
  return {norms.residual[(size_t)token * n + row], __ldg(norms.nextNormWeight + row)};
}

// Adds a layer's result for a token and a row to the residual, and stores x of the next layer. The lanes of 16 rows of
// a token call it together; `isLive` says whether there are such a row and token.
template <typename Args>
__device__ __forceinline__ void add_to_residual(const Args& norms, u16* x, int n, int token, int row, bool isLive,
                                                const Meeting& met, float result, float range) {
  const size_t at = (size_t)token * n + row;
  float sum = 0.f;
  if (isLive) {
    sum = round_act(act_to_float(met.residual) + round_act(result));
    norms.residual[at] = float_to_act(sum);
    x[at] = float_to_act(sum * act_to_float(met.weight) / range);
  }
  float square = sum * sum;
#pragma unroll
  for (int mask = 8; mask > 0; mask >>= 1) square += __shfl_xor_sync(0xffffffffu, square, mask);
  if (isLive && (row & 15) == 0) norms.nextSquares[(size_t)token * (n / 16) + (row >> 4)] = square;
}
