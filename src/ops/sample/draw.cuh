// The draw of a token by its weight among those that top-k, top-p and min-p leave: steps 7 to 11 of contract.ts.
#pragma once
#include "sample/select.cuh"
#include "sample/slot.cuh"

#define WEIGHT_ONE 1073741824.f

__device__ __forceinline__ u32 weight_of(float value, float largest) {
  return value > NOTHING ? (u32)__float2uint_rn(expf(__fsub_rn(value, largest)) * WEIGHT_ONE) : 0u;
}

__device__ __forceinline__ u64 random_bits(u64 seed, u32 position) {
  u32 c0 = position, c1 = 0, c2 = 0, c3 = 0, k0 = (u32)seed, k1 = (u32)(seed >> 32);
#pragma unroll
  for (int round = 0; round < 10; round++) {
    const u64 first = (u64)0xd2511f53u * c0, second = (u64)0xcd9e8d57u * c2;
    c0 = (u32)(second >> 32) ^ c1 ^ k0;
    c1 = (u32)second;
    c2 = (u32)(first >> 32) ^ c3 ^ k1;
    c3 = (u32)first;
    k0 += 0x9e3779b9u;
    k1 += 0xbb67ae85u;
  }
  return ((u64)c1 << 32) | c0;
}

// `source` gives the value of a token before its temperature; it may read `work` at that token.
template <typename Source>
__device__ int draw(const SampleArgs& a, const SampleSlot& slot, Source source, float* work, u32 position, Scratch& s) {
  for (int i = threadIdx.x; i < a.vocabulary; i += SAMPLE_THREADS)
    work[i] = bounded(__fdiv_rn(bounded(source(i)), slot.temperature));
  __syncthreads();
  const float largest = block_best(work, a.vocabulary, s, [](float, int) { return true; }).value;
  float threshold = NOTHING;
  if (slot.topK > 0 && slot.topK < a.vocabulary) {
    const u64 wanted = slot.topK;
    threshold =
        select_down(work, a.vocabulary, s, [](float) { return (u64)1; }, [wanted](u64 sum) { return sum >= wanted; });
  }
  const auto weight = [&](float value) { return value < threshold ? 0u : weight_of(value, largest); };
  // A thread sums consecutive ids, so that the running sum by id is a sum over threads before it.
  const int share = (a.vocabulary + SAMPLE_THREADS - 1) / SAMPLE_THREADS, begin = threadIdx.x * share;
  const int end = min(begin + share, a.vocabulary);
  const auto running = [&](u64& mine) {  // returns the sum over earlier threads; s.chosen is the total
    mine = 0;
    for (int i = begin; i < end; i++) mine += weight(work[i]);
    u64 scan = mine;
#pragma unroll
    for (int step = 1; step < 32; step <<= 1) {
      const u64 other = __shfl_up_sync(0xffffffffu, scan, step);
      if ((threadIdx.x & 31) >= step) scan += other;
    }
    __syncthreads();
    if ((threadIdx.x & 31) == 31) s.prefix[threadIdx.x >> 5] = scan;
    __syncthreads();
    u64 earlier = scan - mine, total = 0;
    for (int w = 0; w < SAMPLE_THREADS / 32; w++) {
      if (w < (int)(threadIdx.x >> 5)) earlier += s.prefix[w];
      total += s.prefix[w];
    }
    if (threadIdx.x == 0) s.chosen = total;
    __syncthreads();
    return earlier;
  };
  u64 mine;
  if (slot.topP < 1.0) {
    running(mine);
    const double target = slot.topP * (double)s.chosen;
    __syncthreads();
    threshold = select_down(
        work, a.vocabulary, s, [&](float value) { return (u64)weight(value); },
        [target](u64 sum) { return (double)sum >= target; });
  }
  // The largest value stays, whatever the parameters are.
  threshold = fminf(fmaxf(threshold, __fadd_rn(largest, slot.logMinP)), largest);
  if (threadIdx.x == 0) s.id = -1;  // the synchronisations of `running` come between this and the choice
  const u64 earlier = running(mine);
  const u64 point = __umul64hi(random_bits(slot.seed, position), s.chosen);
  if (earlier <= point && point < earlier + mine) {
    u64 sum = earlier;
    for (int i = begin; i < end; i++) {
      sum += weight(work[i]);
      if (sum > point) {
        s.id = i;
        break;
      }
    }
  }
  __syncthreads();
  return s.id;
}
