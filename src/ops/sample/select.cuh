// Searches of a block through one row of values: the best, the sum, and the value at which a running sum reaches a
// target. Thresholds are found by radix selection over the bits of the values: four passes of 256 bins each, over
// counts for top-k, over weights for top-p. Weights are whole numbers, so that every sum is exact in any order.
#pragma once
#include "cuda/warp.cuh"

#define SAMPLE_THREADS 1024
#define NOTHING __int_as_float(0xff800000)  // minus infinity
#define HIGHEST __int_as_float(0x7f7fffff)  // the largest number

struct Candidate {
  float value;
  int id;
};

__device__ __forceinline__ Candidate better(Candidate a, Candidate b) {
  return b.value > a.value || (b.value == a.value && (u32)b.id < (u32)a.id) ? b : a;
}

struct Scratch {
  Candidate candidates[32];
  float sums[32];
  u64 bins[256];
  u64 prefix[SAMPLE_THREADS / 32];
  u64 chosen;
  u32 key;
  int id;
};

// NaN counts as minus infinity, plus infinity as the largest number.
__device__ __forceinline__ float bounded(float value) { return value > NOTHING ? fminf(value, HIGHEST) : NOTHING; }

// Largest value and its lowest id among those that `take` accepts; id -1 when there is none above minus infinity.
template <typename Take>
__device__ Candidate block_best(const float* values, int count, Scratch& s, Take take) {
  Candidate best{NOTHING, -1};
  for (int i = threadIdx.x; i < count; i += SAMPLE_THREADS) {
    const float value = bounded(values[i]);
    if (value > best.value && take(value, i)) best = Candidate{value, i};
  }
#pragma unroll
  for (int mask = 16; mask > 0; mask >>= 1)
    best = better(
        best, Candidate{__shfl_xor_sync(0xffffffffu, best.value, mask), __shfl_xor_sync(0xffffffffu, best.id, mask)});
  __syncthreads();
  if ((threadIdx.x & 31) == 0) s.candidates[threadIdx.x >> 5] = best;
  __syncthreads();
  for (int w = 0; w < SAMPLE_THREADS / 32; w++) best = better(best, s.candidates[w]);
  return best;
}

__device__ float block_total(float value, Scratch& s) {
  value = warp_sum(value);
  __syncthreads();
  if ((threadIdx.x & 31) == 0) s.sums[threadIdx.x >> 5] = value;
  __syncthreads();
  float sum = 0.f;
  for (int w = 0; w < SAMPLE_THREADS / 32; w++) sum += s.sums[w];
  return sum;
}

// Order-preserving map of floats to unsigned integers, and back.
__device__ __forceinline__ u32 key_of(float value) {
  const u32 bits = __float_as_uint(value + 0.f);  // -0 becomes 0
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}
__device__ __forceinline__ float value_of(u32 key) {
  return __uint_as_float(key & 0x80000000u ? key & 0x7fffffffu : ~key);
}

// Going down from the largest value, the first at which the running sum of `amount` reaches `target`.
template <typename Amount, typename Reached>
__device__ float select_down(const float* values, int count, Scratch& s, Amount amount, Reached reached) {
  u32 prefix = 0, mask = 0;
  u64 before = 0;
  for (int shift = 24; shift >= 0; shift -= 8) {
    if (threadIdx.x < 256) s.bins[threadIdx.x] = 0;
    __syncthreads();
    for (int i = threadIdx.x; i < count; i += SAMPLE_THREADS) {
      const u32 key = key_of(values[i]);
      if ((key & mask) != prefix) continue;
      const u64 add = amount(values[i]);
      if (add) atomicAdd(&s.bins[(key >> shift) & 255], add);
    }
    __syncthreads();
    if (threadIdx.x == 0) {
      u64 sum = before;
      int bin = 255, lowest = -1;  // lowest non-empty bin seen, in case the target is never reached
      u64 beforeLowest = before;
      for (; bin >= 0; bin--) {
        if (s.bins[bin] == 0) continue;
        lowest = bin, beforeLowest = sum;
        sum += s.bins[bin];
        if (reached(sum)) break;
      }
      s.key = prefix | ((u32)(lowest < 0 ? 0 : lowest) << shift);
      s.chosen = beforeLowest;
    }
    __syncthreads();
    prefix = s.key, before = s.chosen;
    mask |= 255u << shift;
    __syncthreads();
  }
  return value_of(prefix);
}
