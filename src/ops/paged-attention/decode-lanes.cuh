// Lanes of a warp that share keys, values and queries in decode attention: a vector lies in LANES neighbouring
// lanes.
#pragma once
#include "cuda/act.cuh"
#include "cuda/memory.cuh"
#include "paged-attention/kv-cache.cuh"

#define EPL 8                        // elements a lane
#define USED_LANES (HEAD_DIM / EPL)  // lanes that hold a vector
#define LANES (USED_LANES > 16 ? 32 : USED_LANES > 8 ? 16 : USED_LANES > 4 ? 8 : USED_LANES > 2 ? 4 : 2)
#define TOKENS_A_WARP (32 / LANES)  // that a warp takes at once

// Angles of a position for this lane's elements. They are zeros in lanes without elements, which keeps those out of
// sums.
struct Rotation {
  float cosine[EPL], sine[EPL];
};

// Tables: [positions, HEAD_DIM / 2].
__device__ __forceinline__ Rotation load_rotation(const float* cosTable, const float* sinTable, int position,
                                                  int lane) {
  const int pair = lane % (USED_LANES / 2) * EPL;
  const size_t at = (size_t)position * (HEAD_DIM / 2) + pair;
  Rotation r{};
  if (lane >= USED_LANES) return r;
#pragma unroll
  for (int i = 0; i < EPL; i += 4) {
    load_constant4(cosTable + at + i, &r.cosine[i]);
    load_constant4(sinTable + at + i, &r.sine[i]);
  }
  return r;
}

// Rotates this lane's elements; the partner element is HEAD_DIM / 2 away, in another lane of the same token.
__device__ __forceinline__ void rotate_lane(float (&x)[EPL], const Rotation& r, int lane) {
  const bool upper = lane >= USED_LANES / 2;
  const int partner = upper ? lane - USED_LANES / 2 : lane + USED_LANES / 2;
#pragma unroll
  for (int i = 0; i < EPL; i++) {
    const float other = __shfl_sync(0xffffffffu, x[i], partner, LANES);
    x[i] = round_act(x[i] * r.cosine[i] + (upper ? other : -other) * r.sine[i]);
  }
}

// The largest of a value, and its sum, over the lanes that have the same place among `first` neighbours.
template <int first>
__device__ __forceinline__ float max_over_groups(float value) {
#pragma unroll
  for (int mask = first; mask < 32; mask <<= 1) value = fmaxf(value, __shfl_xor_sync(0xffffffffu, value, mask));
  return value;
}
template <int first, typename T>
__device__ __forceinline__ T sum_over_groups(T value) {
#pragma unroll
  for (int mask = first; mask < 32; mask <<= 1) value += __shfl_xor_sync(0xffffffffu, value, mask);
  return value;
}

// Sums each of P values over L neighbouring lanes with few exchanges, both powers of two: in a step a lane keeps one
// half of the values and gives the other to its partner. The sum of value p ends up in lane `holder` at `place`.
template <int P, int L, int N>
__device__ __forceinline__ void scatter_sum(float (&values)[N]) {
  if constexpr (L > 1) {
    constexpr int KEPT = P > 1 ? P / 2 : 1;
    const bool upper = threadIdx.x & (L / 2);
#pragma unroll
    for (int i = 0; i < KEPT; i++) {
      const float mine = P > 1 && upper ? values[i + P - KEPT] : values[i];
      const float given = P > 1 && !upper ? values[i + P - KEPT] : values[i];
      values[i] = mine + __shfl_xor_sync(0xffffffffu, given, L / 2);
    }
    scatter_sum<KEPT, L / 2>(values);
  }
}
template <int P, int L>
__device__ __forceinline__ int holder(int p) {
  return P <= L ? p * (L / P) : p / (P > L ? P / L : 1);
}
template <int P, int L>
__device__ __forceinline__ int place(int p) {
  return P <= L ? 0 : p % (P > L ? P / L : 1);
}

// Adds this lane's part of a token's value by its weight for each query head. `pass` is the token's place among scores,
// and `live` says whether the query sees it.
template <int N>
__device__ __forceinline__ void add_weighted(const KvVector& value, bool live, const float (&score)[GROUP][N], int pass,
                                             const float (&best)[GROUP], float (&acc)[GROUP][EPL],
                                             float (&total)[GROUP]) {
  float v[EPL];
  kv_unpack(value, v);
#pragma unroll
  for (int g = 0; g < GROUP; g++) {
    const float weight = live ? exp2f(score[g][pass] - best[g]) : 0.f;
    total[g] += weight;
    const float share = kv_scaled(weight, value);
#pragma unroll
    for (int i = 0; i < EPL; i++) acc[g][i] += live ? share * v[i] : 0.f;
  }
}
