// Attention of one new token a sequence over the paged KV cache on compute capability 9.0, with rotary embedding and
// the cache append fused in. It does the work of decode.cu, fed by bulk copies: one warp of a block copies cache blocks
// into a ring of shared memory and runs ahead over the whole list of work (decode-copies.cuh); the other warps take the
// cache blocks in turn. Copies start before the wait for the predecessor: earlier steps wrote the older tokens. The
// newest comes from qkv, and the warp that takes its block puts it into the slot.
//
// A slot of the ring always serves the same warp (the number of slots is a multiple of the number of warps that take
// blocks). Otherwise a fast warp could wait for a slot two rounds ahead of a slow one, and parity cannot tell such
// rounds apart.
//
// The blocks of the grid take the units of the list in turn. kv-cache.cuh says how the cache lies in memory.
#include "cuda/act.cuh"
#include "cuda/async.cuh"
#include "cuda/launch.cuh"
#include "cuda/memory.cuh"
#include "paged-attention/decode-copies.cuh"
#include "paged-attention/decode-lanes.cuh"
#include "paged-attention/decode-merge.cuh"
#include "paged-attention/decode-unit.cuh"
#include "paged-attention/kv-cache.cuh"
#include "paged-attention/scores.cuh"

// With one query head a key head two blocks share a multiprocessor, and six warps have two slots each for LLaMA-2-7B's
// cache blocks.
#define DECODE_WARPS (GROUP == 1 ? 6 : 8)
#define PASSES ((BLOCK_TOKENS + TOKENS_A_WARP - 1) / TOKENS_A_WARP)
// Passes whose keys are in registers at the same time.
#define PASSES_AT_ONCE (PASSES % 8 == 0 ? 8 : PASSES % 4 == 0 ? 4 : PASSES % 2 == 0 ? 2 : 1)
struct DecodeShared {
  u64 full[32], empty[32];
  WarpSums<DECODE_WARPS> sums;
};

__device__ __forceinline__ void decode_sync() { asm volatile("bar.sync 1, %0;" ::"n"(DECODE_WARPS * 32) : "memory"); }

// A warp that takes cache blocks.
struct DecodeConsumer {
  const DecodeArgs& a;
  DecodeShared& shared;
  DecodeRing ring;
  int warp, lane, sub;  // `lane` of those that share a token, `sub` the token of those that the warp takes at once
  int takers;           // warps that take blocks
  int stage;            // of the unit's first block, counted over all units
  Unit u;
  int firstOwn;     // the first of the blocks that are this warp's: each takers-th
  int newestBlock;  // the one that the new token belongs to; -1 if it is not this warp's
  KvVector newKey, newValue;
  float q[GROUP][EPL];                               // scaled so that products are scores
  float acc[GROUP][EPL], best[GROUP], total[GROUP];  // sums of weighted values; the largest score; sums of weights

  __device__ __forceinline__ bool active() const { return lane < USED_LANES; }

  // Takes the unit's queries and, where it is this warp's, its new token, which it appends to the cache.
  __device__ __forceinline__ void load_unit(float scale) {
    const int newest = u.newest(), heads = a.heads();
    const u16* source = a.qkv + (size_t)u.newToken * (heads + 2 * a.kvHeads) * HEAD_DIM;
    firstOwn = warp < takers ? (warp - stage % takers + takers) % takers : u.blocks;
    newestBlock = (newest - u.first) / BLOCK_TOKENS;
    if (newestBlock >= u.blocks || newestBlock < firstOwn || (newestBlock - firstOwn) % takers != 0) newestBlock = -1;
    const Rotation rotation = load_rotation(a.cosTable, a.sinTable, newest, lane);
    Vec16 query[GROUP], newKeyBits = zero16(), newValueBits = zero16();
#pragma unroll
    for (int g = 0; g < GROUP; g++)
      query[g] = active() ? load16(source + (u.kvHead * GROUP + g) * HEAD_DIM + lane * EPL) : zero16();
    int ownBlock = 0;
    if (newestBlock >= 0 && active()) {
      ownBlock = a.blockTables[(size_t)u.row * a.maxBlocks + newest / BLOCK_TOKENS];
      newKeyBits = load16(source + (heads + u.kvHead) * HEAD_DIM + lane * EPL);
      newValueBits = load16(source + (heads + a.kvHeads + u.kvHead) * HEAD_DIM + lane * EPL);
    }
    newKey = kv_zero(), newValue = kv_zero();
    if (newestBlock >= 0) {
      float k[EPL];
      unpack8(newKeyBits, k);
      rotate_lane(k, rotation, lane);
      newKey = kv_from_activations<LANES>(pack8(k));
      newValue = kv_from_activations<LANES>(newValueBits);
      if (sub == 0 && active())
        kv_store_both(a.cache, a.blockStride, a.kvHeads, ownBlock, u.kvHead, newest % BLOCK_TOKENS, lane, newKey,
                      newValue);
    }
#pragma unroll
    for (int g = 0; g < GROUP; g++) {
      unpack8(query[g], q[g]);
      rotate_lane(q[g], rotation, lane);
      best[g] = MASKED_SCORE, total[g] = 0.f;
#pragma unroll
      for (int i = 0; i < EPL; i++) q[g][i] *= scale, acc[g][i] = 0.f;
    }
  }

  // Puts the new token into its slot: the copy brought what lay in the cache before.
  __device__ __forceinline__ void put_newest(u32 at) {
    const int within = u.newest() % BLOCK_TOKENS;
    if (sub == 0 && active()) {
      store_stage(at, 0, within, lane, newKey);
      store_stage(at, 1, within, lane, newValue);
    }
    shared_stores_fence();  // the slot's next copy comes later
    __syncwarp();
  }

  // Scores of a block's keys, and `top`, the largest score so far.
  __device__ __forceinline__ void score_block(u32 at, int token0, float (&score)[GROUP][PASSES], float (&top)[GROUP]) {
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
          const bool live =
              within < BLOCK_TOKENS && token0 + within < u.length && in_window(token0 + within, u.visible);
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
      top[g] = max_over_tokens(top[g]);
      const float factor = exp2f(best[g] - top[g]);
      best[g] = top[g];
      total[g] *= factor;
#pragma unroll
      for (int i = 0; i < EPL; i++) acc[g][i] *= factor;
    }
  }

  // Adds a block's values by their weights.
  __device__ __forceinline__ void weigh_block(u32 at, int token0, const float (&score)[GROUP][PASSES]) {
#pragma unroll
    for (int p = 0; p < PASSES; p++) {
      const int within = p * TOKENS_A_WARP + sub, token = token0 + within;
      const bool live = within < BLOCK_TOKENS && token < u.length && in_window(token, u.visible);
      float v[EPL];
      const KvVector value = active() && within < BLOCK_TOKENS ? load_stage(at, 1, within, lane) : kv_zero();
      kv_unpack(value, v);
#pragma unroll
      for (int g = 0; g < GROUP; g++) {
        const float weight = live ? exp2f(score[g][p] - best[g]) : 0.f;
        total[g] += weight;
        const float share = kv_scaled(weight, value);
#pragma unroll
        for (int i = 0; i < EPL; i++) acc[g][i] += live ? share * v[i] : 0.f;
      }
    }
  }

  __device__ __forceinline__ void take_block(int b) {
    const int slot = (stage + b) % a.stageCount;
    const u32 at = ring.slots + slot * RING_STAGE_BYTES;
    const int token0 = u.first + b * BLOCK_TOKENS;
    barrier_wait(ring.full + 8 * slot, (stage + b) / a.stageCount & 1);
    if (b == newestBlock) put_newest(at);
    float score[GROUP][PASSES], top[GROUP];
    score_block(at, token0, score, top);
    rescale(top);
    weigh_block(at, token0, score);
    barrier_arrive(ring.empty + 8 * slot);
  }

  // Adds up what the warps have found.
  __device__ __forceinline__ void merge_unit() {
#pragma unroll
    for (int g = 0; g < GROUP; g++) {
      total[g] = sum_over_tokens(total[g]);
#pragma unroll
      for (int i = 0; i < EPL; i++) acc[g][i] = sum_over_tokens(acc[g][i]);
    }
    decode_sync();  // the previous unit's sums have been read
    if (sub == 0 && active()) shared.sums.put(warp, lane, acc, best, total);
    decode_sync();
    finish_unit(a, u, shared.sums, [] { decode_sync(); });
  }

  // `u` is the first unit.
  __device__ __forceinline__ void run(int unitCount) {
    const float scale = score_scale();
    for (int index = blockIdx.x; index < unitCount; index += gridDim.x) {
      load_unit(scale);
      for (int b = firstOwn; b < u.blocks; b += takers) take_block(b);
      stage += u.blocks;
      merge_unit();
      if (index + (int)gridDim.x < unitCount) u = unit_at(a, index + gridDim.x);
    }
  }
};

extern "C" __global__ void __launch_bounds__((DECODE_WARPS + 1) * 32, GROUP == 1 ? 2 : 1)
    attention_decode_ring(const DecodeArgs a) {
  extern __shared__ __align__(128) u8 memory[];
  __shared__ DecodeShared shared;
  const DecodeRing ring = {shared_address(memory), shared_address(shared.full), shared_address(shared.empty)};
  const int warp = threadIdx.x >> 5, lane = threadIdx.x & (LANES - 1), sub = (threadIdx.x & 31) / LANES;
  if (threadIdx.x == 0)
    for (int s = 0; s < a.stageCount; s++) {
      barrier_init(ring.full + 8 * s, 1);
      barrier_init(ring.empty + 8 * s, 32);  // lanes of the warp that the slot serves
    }
  barriers_fence();
  __syncthreads();
  allow_successor();
  const int unitCount = *a.itemCount * a.kvHeads;
  if (warp == DECODE_WARPS) {
    // The first round finds every slot empty.
    DecodeProducer{a, ring, 0, 1}.run(unitCount);
    wait_predecessor();
    return;
  }
  // The step's description was there before the step.
  Unit first{};
  if ((int)blockIdx.x < unitCount) first = unit_at(a, blockIdx.x);
  wait_predecessor();
  DecodeConsumer{a, shared, ring, warp, lane, sub, min(DECODE_WARPS, a.stageCount), 0, first}.run(unitCount);
}
