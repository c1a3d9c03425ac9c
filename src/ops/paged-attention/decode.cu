// Attention of one new token a sequence over the paged KV cache, with rotary embedding and the cache append fused in.
//
// Blocks of the grid walk over the list of items (row and split of its cached tokens), for one KV head each.
// A thread holds 16 bytes of a cached vector, so LANES threads share a token and a warp takes several tokens at once.
// The first item's keys are requested before the wait for the predecessor: earlier steps wrote the older tokens.
// kv-cache.cuh says how the cache lies in memory.
#include "cuda/act.cuh"
#include "cuda/launch.cuh"
#include "cuda/memory.cuh"
#include "paged-attention/decode-lanes.cuh"
#include "paged-attention/decode-merge.cuh"
#include "paged-attention/decode-unit.cuh"
#include "paged-attention/kv-cache.cuh"
#include "paged-attention/scores.cuh"

#define DECODE_WARPS 4
#define PASSES (PIECE_TOKENS / (DECODE_WARPS * TOKENS_A_WARP))

struct DecodeWarp {
  const DecodeArgs& a;
  WarpSums<DECODE_WARPS>& sums;
  int warp, lane, sub;  // `lane` of those that share a token, `sub` the token of those that the warp takes at once
  Unit u;
  KvVector kv[PASSES];  // keys of this lane's tokens, then values
  KvVector newKey, newValue;
  float q[GROUP][EPL];  // scaled so that products are scores
  float score[GROUP][PASSES];
  float acc[GROUP][EPL], best[GROUP], total[GROUP];  // sums of weighted values; the largest score; sums of weights

  __device__ __forceinline__ bool active() const { return lane < USED_LANES; }
  // Position of this lane's token in a pass.
  __device__ __forceinline__ int token(int pass) const {
    return u.first + (pass * DECODE_WARPS + warp) * TOKENS_A_WARP + sub;
  }
  // Whether the new token sees a token.
  __device__ __forceinline__ bool sees(int token) const { return token < u.length && in_window(token, u.visible); }
  // Whether it sees a token that the cache held before.
  __device__ __forceinline__ bool sees_cached(int token) const {
    return token < u.newest() && in_window(token, u.visible);
  }

  __device__ __forceinline__ KvVector load(int token, int isValue) const {
    const int block = __ldg(a.blockTables + (size_t)u.row * a.maxBlocks + token / BLOCK_TOKENS);
    return kv_load(a.cache, a.blockStride, a.kvHeads, block, isValue, u.kvHead, token % BLOCK_TOKENS, lane);
  }

  __device__ __forceinline__ void load_keys() {
#pragma unroll
    for (int p = 0; p < PASSES; p++) {
      kv[p] = kv_zero();
      if (sees_cached(token(p)) && active()) kv[p] = load(token(p), 0);
    }
  }

  // Takes the row's queries and, where the split ends with it, its new token, which it appends to the cache.
  __device__ __forceinline__ void load_queries() {
    const int heads = a.heads();
    const u16* source = a.qkv + (size_t)u.newToken * (heads + 2 * a.kvHeads) * HEAD_DIM + lane * EPL;
    const Rotation rotation = load_rotation(a.cosTable, a.sinTable, u.newest(), lane);
    const float scale = score_scale();
#pragma unroll
    for (int g = 0; g < GROUP; g++) {
      unpack8(active() ? load16(source + (u.kvHead * GROUP + g) * HEAD_DIM) : zero16(), q[g]);
      rotate_lane(q[g], rotation, lane);
#pragma unroll
      for (int i = 0; i < EPL; i++) q[g][i] *= scale;
    }
    newKey = kv_zero(), newValue = kv_zero();
    if (u.newest() >= u.first + PIECE_TOKENS) return;
    float k[EPL];
    unpack8(active() ? load16(source + (heads + u.kvHead) * HEAD_DIM) : zero16(), k);
    rotate_lane(k, rotation, lane);
    newKey = kv_from_activations<LANES>(pack8(k));
    Vec16 value = zero16();
    if (active()) value = load16(source + (heads + a.kvHeads + u.kvHead) * HEAD_DIM);
    newValue = kv_from_activations<LANES>(value);
    if (threadIdx.x >= LANES || !active()) return;
    const int block = a.blockTables[(size_t)u.row * a.maxBlocks + u.newest() / BLOCK_TOKENS];
    kv_store_both(a.cache, a.blockStride, a.kvHeads, block, u.kvHead, u.newest() % BLOCK_TOKENS, lane, newKey,
                  newValue);
  }

  // Scores the keys. Each key makes room for its token's value, which is requested.
  __device__ __forceinline__ void score_keys() {
#pragma unroll
    for (int g = 0; g < GROUP; g++) best[g] = MASKED_SCORE;
#pragma unroll
    for (int p = 0; p < PASSES; p++) {
      float k[EPL];
      const KvVector key = kv_choose(token(p) == u.newest(), newKey, kv[p]);
      kv_unpack(key, k);
      if (sees_cached(token(p)) && active()) kv[p] = load(token(p), 1);
#pragma unroll
      for (int g = 0; g < GROUP; g++) {
        float sum = 0.f;
#pragma unroll
        for (int i = 0; i < EPL; i++) sum += q[g][i] * k[i];
#pragma unroll
        for (int mask = LANES / 2; mask > 0; mask >>= 1) sum += __shfl_xor_sync(0xffffffffu, sum, mask);
        score[g][p] = sees(token(p)) ? capped_score(kv_scaled(sum, key)) : MASKED_SCORE;
        best[g] = fmaxf(best[g], score[g][p]);
      }
    }
#pragma unroll
    for (int g = 0; g < GROUP; g++) best[g] = max_over_groups<LANES>(best[g]);
  }

  // Adds the values by their weights.
  __device__ __forceinline__ void weigh_values() {
#pragma unroll
    for (int g = 0; g < GROUP; g++) {
      total[g] = 0.f;
#pragma unroll
      for (int i = 0; i < EPL; i++) acc[g][i] = 0.f;
    }
#pragma unroll
    for (int p = 0; p < PASSES; p++) {
      const bool live = sees(token(p));
      const KvVector value = kv_choose(token(p) == u.newest(), newValue, kv[p]);
      add_weighted(value, live, score, p, best, acc, total);
    }
#pragma unroll
    for (int g = 0; g < GROUP; g++) {
      total[g] = sum_over_groups<LANES>(total[g]);
#pragma unroll
      for (int i = 0; i < EPL; i++) acc[g][i] = sum_over_groups<LANES>(acc[g][i]);
    }
  }

  __device__ __forceinline__ void merge_unit() {
    if (sub == 0 && active()) sums.put(warp, lane, acc, best, total);
    __syncthreads();
    finish_unit(a, u, sums, [] { __syncthreads(); });
    __syncthreads();
  }
};

// Grid: [kvHeads, blocks that share the items].
extern "C" __global__ void __launch_bounds__(DECODE_WARPS * 32) attention_decode(const DecodeArgs a) {
  __shared__ WarpSums<DECODE_WARPS> sums;
  DecodeWarp warp{a, sums, (int)threadIdx.x >> 5, (int)threadIdx.x & (LANES - 1), (int)(threadIdx.x & 31) / LANES};
  allow_successor();
  bool waited = false;
  const int count = *a.itemCount;
  for (int item = blockIdx.y; item < count; item += gridDim.y) {
    warp.u = unit_of(a, item, blockIdx.x);
    warp.load_keys();
    if (!waited) wait_predecessor();
    waited = true;
    warp.load_queries();
    warp.score_keys();
    warp.weigh_values();
    warp.merge_unit();
  }
  if (!waited) wait_predecessor();
}
