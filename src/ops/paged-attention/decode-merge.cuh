// The end of decode attention: the sums of a block's warps become those of its split, and the splits of a row its
// result. Splits are added in their order by the block that comes last, so that a result does not depend on timing.
#pragma once
#include "paged-attention/decode-lanes.cuh"
#include "paged-attention/decode-unit.cuh"
#include "paged-attention/scores.cuh"

// Sums that each warp of a block has found for a unit.
template <int WARPS>
struct WarpSums {
  float stats[WARPS][GROUP][2];          // the largest score; the sum of weights
  float values[WARPS][GROUP][HEAD_DIM];  // the sum of weighted values
  bool isLast;                           // the block's split is the last of its row to be done

  // Called by the lanes that hold the warp's sums.
  __device__ __forceinline__ void put(int warp, int lane, const float (&acc)[GROUP][EPL], const float (&best)[GROUP],
                                      const float (&total)[GROUP]) {
#pragma unroll
    for (int g = 0; g < GROUP; g++) {
#pragma unroll
      for (int i = 0; i < EPL; i++) values[warp][g][lane * EPL + i] = acc[g][i];
      if (lane == 0) stats[warp][g][0] = best[g], stats[warp][g][1] = total[g];
    }
  }
};

__device__ __forceinline__ u16* result_of(const DecodeArgs& a, const Unit& u, int g) {
  return a.out + ((size_t)u.newToken * a.heads() + u.kvHead * GROUP + g) * HEAD_DIM;
}

// Sums of a split and a query head: values [HEAD_DIM], the largest score, the sum of weights.
__device__ __forceinline__ float* partial_of(const DecodeArgs& a, const Unit& u, int item, int g) {
  return a.partials + (((size_t)item * a.kvHeads + u.kvHead) * GROUP + g) * (HEAD_DIM + 2);
}

// Adds the warps' sums: the result of a row with one split, else the split's part of it.
template <int WARPS>
__device__ __forceinline__ void merge_warps(const DecodeArgs& a, const Unit& u, const WarpSums<WARPS>& warps) {
  for (int index = threadIdx.x; index < GROUP * HEAD_DIM; index += WARPS * 32) {
    const int g = index / HEAD_DIM, d = index % HEAD_DIM;
    float top = MASKED_SCORE;
#pragma unroll
    for (int w = 0; w < WARPS; w++) top = fmaxf(top, warps.stats[w][g][0]);
    float sum = 0.f, weights = 0.f;
#pragma unroll
    for (int w = 0; w < WARPS; w++) {
      const float factor = exp2f(warps.stats[w][g][0] - top);
      sum += factor * warps.values[w][g][d];
      weights += factor * warps.stats[w][g][1];
    }
    if (u.splits() == 1) {
      result_of(a, u, g)[d] = float_to_act(sum / weights);
    } else {
      float* partial = partial_of(a, u, u.item, g);
      partial[d] = sum;
      if (d == 0) partial[HEAD_DIM] = top, partial[HEAD_DIM + 1] = weights;
    }
  }
}

// Splits whose sums a thread loads at once: one after the other, each load would take as long as all of them.
#define MERGED_AT_ONCE 4

// Adds the splits of a row in their order. THREADS threads call it, of which this one is `thread`.
template <int THREADS>
__device__ __forceinline__ void merge_splits(const DecodeArgs& a, const Unit& u, int thread) {
  constexpr int OWN = HEAD_DIM % THREADS == 0 ? HEAD_DIM / THREADS : 1;  // dimensions of a thread, THREADS apart
  const size_t step = (size_t)a.kvHeads * GROUP * (HEAD_DIM + 2);
  const int splits = u.splits();
  for (int index = thread; index < GROUP * HEAD_DIM; index += THREADS * OWN) {
    const int g = index / HEAD_DIM, d = index % HEAD_DIM;
    const float* partial = partial_of(a, u, u.item - u.split, g);
    float top = MASKED_SCORE;
    for (int first = 0; first < splits; first += MERGED_AT_ONCE) {
      float best[MERGED_AT_ONCE];
#pragma unroll
      for (int s = 0; s < MERGED_AT_ONCE; s++)
        best[s] = first + s < splits ? __ldcg(partial + (first + s) * step + HEAD_DIM) : MASKED_SCORE;
#pragma unroll
      for (int s = 0; s < MERGED_AT_ONCE; s++) top = fmaxf(top, best[s]);
    }
    float sums[OWN] = {}, weights = 0.f;
    for (int first = 0; first < splits; first += MERGED_AT_ONCE) {
      float best[MERGED_AT_ONCE], total[MERGED_AT_ONCE], values[MERGED_AT_ONCE][OWN];
#pragma unroll
      for (int s = 0; s < MERGED_AT_ONCE; s++) {
        if (first + s >= splits) continue;
        const float* split = partial + (first + s) * step;
        best[s] = __ldcg(split + HEAD_DIM);
        total[s] = __ldcg(split + HEAD_DIM + 1);
#pragma unroll
        for (int i = 0; i < OWN; i++) values[s][i] = __ldcg(split + d + i * THREADS);
      }
#pragma unroll
      for (int s = 0; s < MERGED_AT_ONCE; s++) {
        if (first + s >= splits) continue;
        const float factor = exp2f(best[s] - top);
#pragma unroll
        for (int i = 0; i < OWN; i++) sums[i] += factor * values[s][i];
        weights += factor * total[s];
      }
    }
#pragma unroll
    for (int i = 0; i < OWN; i++) result_of(a, u, g)[d + i * THREADS] = float_to_act(sums[i] / weights);
  }
}

// Counter of the splits of a row and head that are done.
__device__ __forceinline__ u32* arrivals_of(const DecodeArgs& a, const Unit& u) {
  return a.arrivals + (size_t)u.row * a.kvHeads + u.kvHead;
}

// Counts a split after all that threads which this one has synchronised with have stored. Returns the count before. A
// fence in every thread (__threadfence) would wait for more than the stores.
__device__ __forceinline__ u32 count_arrival(u32* arrivals) {
  u32 before;
  asm volatile("atom.release.gpu.global.add.u32 %0, [%1], 1;" : "=r"(before) : "l"(arrivals) : "memory");
  return before;
}

// Counts a split. Returns whether it is the last of its row and head; one thread calls it.
__device__ __forceinline__ bool arrives_last(const DecodeArgs& a, const Unit& u) {
  u32* arrivals = arrivals_of(a, u);
  const bool isLast = count_arrival(arrivals) == (u32)u.splits() - 1;
  if (isLast) *arrivals = 0;
  return isLast;
}

// Takes the unit's sums of all warps, which have been put before the last `sync` of these warps.
template <int WARPS, typename Sync>
__device__ __forceinline__ void finish_unit(const DecodeArgs& a, const Unit& u, WarpSums<WARPS>& warps, Sync sync) {
  merge_warps(a, u, warps);
  if (u.splits() == 1) return;
  sync();
  if (threadIdx.x == 0) warps.isLast = arrives_last(a, u);
  sync();
  if (!warps.isLast) return;
  __threadfence();
  merge_splits<WARPS * 32>(a, u, threadIdx.x);
}
