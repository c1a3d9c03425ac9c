// Decode attention in f32 on the cores of a warp: lanes share a vector of the cache (decode-lanes.cuh). A slot of the
// ring holds a cache block.
#pragma once
#include "paged-attention/decode-copies.cuh"
#include "paged-attention/decode-lanes.cuh"
#include "paged-attention/decode-merge.cuh"
#include "paged-attention/kv-cache.cuh"
#include "paged-attention/scores.cuh"

#define PASSES ((BLOCK_TOKENS + TOKENS_A_WARP - 1) / TOKENS_A_WARP)
// Passes whose keys are in registers at the same time.
#define PASSES_AT_ONCE (PASSES % 8 == 0 ? 8 : PASSES % 4 == 0 ? 4 : PASSES % 2 == 0 ? 2 : 1)

// Sums that a warp finds for a unit, and the unit's queries.
struct DecodeSums {
  int lane, sub;                                     // as DecodeConsumer has them
  float q[GROUP][EPL];                               // scaled so that products are scores
  float acc[GROUP][EPL], best[GROUP], total[GROUP];  // sums of weighted values; the largest score; sums of weights

  __device__ __forceinline__ DecodeSums() : lane(threadIdx.x & (LANES - 1)), sub((threadIdx.x & 31) / LANES) {}
  __device__ __forceinline__ bool active() const { return lane < USED_LANES; }

  __device__ __forceinline__ void clear() {
#pragma unroll
    for (int g = 0; g < GROUP; g++) {
      best[g] = MASKED_SCORE, total[g] = 0.f;
#pragma unroll
      for (int i = 0; i < EPL; i++) acc[g][i] = 0.f;
    }
  }

  __device__ __forceinline__ void take_queries(const float (&queries)[GROUP][EPL]) {
#pragma unroll
    for (int g = 0; g < GROUP; g++)
#pragma unroll
      for (int i = 0; i < EPL; i++) q[g][i] = queries[g][i];
  }

  // Scores of the slot's keys, and `top`, the largest score so far.
  template <typename IsLive>
  __device__ __forceinline__ void score_slot(u32 at, IsLive isLive, float (&score)[GROUP][PASSES],
                                             float (&top)[GROUP]) const {
#pragma unroll
    for (int g = 0; g < GROUP; g++) top[g] = best[g];
#pragma unroll
    for (int p0 = 0; p0 < PASSES; p0 += PASSES_AT_ONCE) {
      KvVector keys[PASSES_AT_ONCE];
#pragma unroll
      for (int p = 0; p < PASSES_AT_ONCE; p++) {
        const int within = (p0 + p) * TOKENS_A_WARP + sub;
        keys[p] = active() && within < BLOCK_TOKENS ? load_stage(at, 0, within, lane) : kv_zero();
      }
      float sums[GROUP][PASSES_AT_ONCE];
#pragma unroll
      for (int p = 0; p < PASSES_AT_ONCE; p++) {
        float k[EPL];
        kv_unpack(keys[p], k);
#pragma unroll
        for (int g = 0; g < GROUP; g++) {
          sums[g][p] = 0.f;
#pragma unroll
          for (int i = 0; i < EPL; i++) sums[g][p] += q[g][i] * k[i];
        }
      }
#pragma unroll
      for (int g = 0; g < GROUP; g++) {
        scatter_sum<PASSES_AT_ONCE, LANES>(sums[g]);
#pragma unroll
        for (int p = 0; p < PASSES_AT_ONCE; p++) {
          const int within = (p0 + p) * TOKENS_A_WARP + sub;
          const bool live = within < BLOCK_TOKENS && isLive(within);
          const float sum = __shfl_sync(0xffffffffu, sums[g][place<PASSES_AT_ONCE, LANES>(p)],
                                        holder<PASSES_AT_ONCE, LANES>(p), LANES);
          score[g][p0 + p] = live ? capped_score(kv_scaled(sum, keys[p])) : MASKED_SCORE;
          top[g] = fmaxf(top[g], score[g][p0 + p]);
        }
      }
    }
  }

  // Makes `top` the score that weights are relative to: what has been summed shrinks as it grows.
  __device__ __forceinline__ void rescale(float (&top)[GROUP]) {
#pragma unroll
    for (int g = 0; g < GROUP; g++) {
      top[g] = max_over_groups<LANES>(top[g]);
      const float factor = exp2f(best[g] - top[g]);
      best[g] = top[g];
      total[g] *= factor;
#pragma unroll
      for (int i = 0; i < EPL; i++) acc[g][i] *= factor;
    }
  }

  // Adds the slot's values by their weights.
  template <typename IsLive>
  __device__ __forceinline__ void weigh_slot(u32 at, IsLive isLive, const float (&score)[GROUP][PASSES]) {
#pragma unroll
    for (int p = 0; p < PASSES; p++) {
      const int within = p * TOKENS_A_WARP + sub;
      const bool live = within < BLOCK_TOKENS && isLive(within);
      const KvVector value = active() && within < BLOCK_TOKENS ? load_stage(at, 1, within, lane) : kv_zero();
      add_weighted(value, live, score, p, best, acc, total);
    }
  }

  // Adds the slot's values by their weights. `isLive` says of a token of the slot whether the query sees it.
  template <typename IsLive>
  __device__ __forceinline__ void take_slot(u32 at, IsLive isLive) {
    float score[GROUP][PASSES], top[GROUP];
    score_slot(at, isLive, score, top);
    rescale(top);
    weigh_slot(at, isLive, score);
  }

  template <int WARPS>
  __device__ __forceinline__ void put(WarpSums<WARPS>& to, int warp) {
#pragma unroll
    for (int g = 0; g < GROUP; g++) {
      total[g] = sum_over_groups<LANES>(total[g]);
#pragma unroll
      for (int i = 0; i < EPL; i++) acc[g][i] = sum_over_groups<LANES>(acc[g][i]);
    }
    if (sub == 0 && active()) to.put(warp, lane, acc, best, total);
  }
};
