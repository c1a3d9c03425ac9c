// Attention of one new token a sequence over the paged KV cache, with rotary embedding and the cache append fused in.
//
// The work is a list of items (row, split of SPLIT_TOKENS cached tokens) times the KV heads; blocks walk over the list.
// A thread holds 16 bytes of a cached vector, so LANES threads share a token and a warp takes several tokens at once.
// The first item's keys are requested before the wait for the predecessor: older tokens were written by earlier steps.
// Splits of a row leave partial sums; the block that comes last adds them in split order, so results do not depend on timing.
//
// `cache` points to the layer in block 0; kv-cache.cuh says how it lies there.
#include "cuda/act.cuh"
#include "cuda/launch.cuh"
#include "cuda/memory.cuh"
#include "paged-attention/kv-cache.cuh"

#ifndef SPLIT_TOKENS
#define SPLIT_TOKENS 128
#endif
#define WARPS 4
#define EPL 8                              // elements a lane
#define USED_LANES (HEAD_DIM / EPL)        // lanes that hold a vector
#if USED_LANES > 16
#define LANES 32
#elif USED_LANES > 8
#define LANES 16
#elif USED_LANES > 4
#define LANES 8
#elif USED_LANES > 2
#define LANES 4
#else
#define LANES 2
#endif
#define TOKENS_A_WARP (32 / LANES)
#define PASSES (SPLIT_TOKENS / (WARPS * TOKENS_A_WARP))

struct DecodeArgs {
  const u16* qkv;            // [tokens, (heads + 2 kvHeads) * HEAD_DIM]
  KvElement* cache;          // of this layer
  u16* out;                  // [tokens, heads * HEAD_DIM]
  const float* cosTable;     // [positions, HEAD_DIM / 2]
  const float* sinTable;
  const int* rowOffsets;     // [rows + 1]
  const int* contextLengths; // [rows]
  const int* blockTables;    // [rows, maxBlocks]
  const int* items;          // [itemCount] row * 65536 + split
  const int* itemCount;
  float* partials;           // [items, kvHeads, GROUP, HEAD_DIM + 2]
  u32* arrivals;             // [rows, kvHeads], zero between launches
  u64 blockStride;           // elements from one block to the next
  int kvHeads, maxBlocks;
};

// Rotates this lane's elements; the partner element is HEAD_DIM / 2 away, in another lane of the same token.
__device__ __forceinline__ void rotate(float (&x)[EPL], const float* cosRow, const float* sinRow, int lane) {
  const bool upper = lane >= USED_LANES / 2;
  const int partner = upper ? lane - USED_LANES / 2 : lane + USED_LANES / 2;
  const int pair = (upper ? partner : lane) * EPL;
#pragma unroll
  for (int i = 0; i < EPL; i++) {
    const float other = __shfl_sync(0xffffffffu, x[i], partner, LANES);
    const float c = lane < USED_LANES ? __ldg(cosRow + pair + i) : 0.f, s = lane < USED_LANES ? __ldg(sinRow + pair + i) : 0.f;
    x[i] = round_act(x[i] * c + (upper ? other : -other) * s);
  }
}

extern "C" __global__ void __launch_bounds__(WARPS * 32)
    attention_decode(const u16* qkv, KvElement* cache, u16* out, const float* cosTable, const float* sinTable,
                     const int* rowOffsets, const int* contextLengths, const int* blockTables, const int* items,
                     const int* itemCount, float* partials, u32* arrivals, u64 blockStride, int kvHeads, int maxBlocks) {
  const DecodeArgs a{qkv, cache, out, cosTable, sinTable, rowOffsets, contextLengths, blockTables,
                     items, itemCount, partials, arrivals, blockStride, kvHeads, maxBlocks};
  __shared__ float warpStats[WARPS][GROUP][2];
  __shared__ float warpSums[WARPS][GROUP][HEAD_DIM];
  __shared__ bool isLast;

  const int warp = threadIdx.x >> 5, lane = threadIdx.x & (LANES - 1), sub = (threadIdx.x & 31) / LANES;
  const bool active = lane < USED_LANES;
  const int kvHead = blockIdx.x;
  const int heads = kvHeads * GROUP;
  const float scale = rsqrtf((float)HEAD_DIM) * 1.44269504f;  // scores in powers of two
  allow_successor();

  bool waited = false;
  const int count = *a.itemCount;
  for (int item = blockIdx.y; item < count; item += gridDim.y) {
    const int row = a.items[item] >> 16, split = a.items[item] & 0xffff;
    const int length = a.contextLengths[row];
    const int newest = length - 1;
    const int first = split * SPLIT_TOKENS;
    const int* table = a.blockTables + (size_t)row * maxBlocks;
    // Tokens of this lane: first + (p * WARPS + warp) * TOKENS_A_WARP + sub.
    const int mine = first + warp * TOKENS_A_WARP + sub;

    KvVector kv[PASSES];
#pragma unroll
    for (int p = 0; p < PASSES; p++) {
      const int token = mine + p * WARPS * TOKENS_A_WARP;
      kv[p] = kv_zero();
      if (token < newest && active)
        kv[p] = kv_load(cache, blockStride, kvHeads, __ldg(table + token / BLOCK_TOKENS), 0, kvHead, token % BLOCK_TOKENS, lane);
    }
    if (!waited) wait_predecessor();
    waited = true;

    const int newToken = a.rowOffsets[row];
    const u16* source = qkv + (size_t)newToken * (heads + 2 * kvHeads) * HEAD_DIM;
    const float* cosRow = cosTable + (size_t)newest * (HEAD_DIM / 2);
    const float* sinRow = sinTable + (size_t)newest * (HEAD_DIM / 2);
    float q[GROUP][EPL];
#pragma unroll
    for (int g = 0; g < GROUP; g++) {
      unpack8(active ? load16(source + (kvHead * GROUP + g) * HEAD_DIM + lane * EPL) : zero16(), q[g]);
      rotate(q[g], cosRow, sinRow, lane);
#pragma unroll
      for (int i = 0; i < EPL; i++) q[g][i] *= scale;
    }
    KvVector newKey = kv_zero(), newValue = kv_zero();
    if (newest < first + SPLIT_TOKENS) {
      float k[EPL];
      unpack8(active ? load16(source + (heads + kvHead) * HEAD_DIM + lane * EPL) : zero16(), k);
      rotate(k, cosRow, sinRow, lane);
      newKey = kv_from_activations<LANES>(pack8(k));
      Vec16 v = zero16();
      if (active) v = load16(source + (heads + kvHeads + kvHead) * HEAD_DIM + lane * EPL);
      newValue = kv_from_activations<LANES>(v);
      if (threadIdx.x < LANES && active) {
        const int block = table[newest / BLOCK_TOKENS];
        kv_store(cache, blockStride, kvHeads, block, 0, kvHead, newest % BLOCK_TOKENS, lane, newKey);
        kv_store(cache, blockStride, kvHeads, block, 1, kvHead, newest % BLOCK_TOKENS, lane, newValue);
      }
    }

    float score[GROUP][PASSES], best[GROUP];
#pragma unroll
    for (int g = 0; g < GROUP; g++) best[g] = -1e30f;
#pragma unroll
    for (int p = 0; p < PASSES; p++) {
      const int token = mine + p * WARPS * TOKENS_A_WARP;
      float k[EPL];
      const KvVector key = kv_choose(token == newest, newKey, kv[p]);
      kv_unpack(key, k);
      if (token < newest && active)
        kv[p] = kv_load(cache, blockStride, kvHeads, __ldg(table + token / BLOCK_TOKENS), 1, kvHead, token % BLOCK_TOKENS, lane);
#pragma unroll
      for (int g = 0; g < GROUP; g++) {
        float sum = 0.f;
#pragma unroll
        for (int i = 0; i < EPL; i++) sum += q[g][i] * k[i];
#pragma unroll
        for (int mask = LANES / 2; mask > 0; mask >>= 1) sum += __shfl_xor_sync(0xffffffffu, sum, mask);
        score[g][p] = token < length ? kv_scaled(sum, key) : -1e30f;
        best[g] = fmaxf(best[g], score[g][p]);
      }
    }

    float acc[GROUP][EPL], total[GROUP];
#pragma unroll
    for (int g = 0; g < GROUP; g++) {
#pragma unroll
      for (int mask = LANES; mask < 32; mask <<= 1) best[g] = fmaxf(best[g], __shfl_xor_sync(0xffffffffu, best[g], mask));
      total[g] = 0.f;
#pragma unroll
      for (int i = 0; i < EPL; i++) acc[g][i] = 0.f;
    }
#pragma unroll
    for (int p = 0; p < PASSES; p++) {
      const int token = mine + p * WARPS * TOKENS_A_WARP;
      float v[EPL];
      const KvVector value = kv_choose(token == newest, newValue, kv[p]);
      kv_unpack(value, v);
#pragma unroll
      for (int g = 0; g < GROUP; g++) {
        const float weight = token < length ? exp2f(score[g][p] - best[g]) : 0.f;
        total[g] += weight;
        const float share = kv_scaled(weight, value);
#pragma unroll
        for (int i = 0; i < EPL; i++) acc[g][i] += token < length ? share * v[i] : 0.f;
      }
    }
#pragma unroll
    for (int g = 0; g < GROUP; g++) {
#pragma unroll
      for (int mask = LANES; mask < 32; mask <<= 1) {
        total[g] += __shfl_xor_sync(0xffffffffu, total[g], mask);
#pragma unroll
        for (int i = 0; i < EPL; i++) acc[g][i] += __shfl_xor_sync(0xffffffffu, acc[g][i], mask);
      }
      if (sub == 0 && active) {
#pragma unroll
        for (int i = 0; i < EPL; i++) warpSums[warp][g][lane * EPL + i] = acc[g][i];
        if (lane == 0) warpStats[warp][g][0] = best[g], warpStats[warp][g][1] = total[g];
      }
    }
    __syncthreads();

    const int splitCount = (length + SPLIT_TOKENS - 1) / SPLIT_TOKENS;
    for (int index = threadIdx.x; index < GROUP * HEAD_DIM; index += WARPS * 32) {
      const int g = index / HEAD_DIM, d = index % HEAD_DIM;
      float top = -1e30f;
#pragma unroll
      for (int w = 0; w < WARPS; w++) top = fmaxf(top, warpStats[w][g][0]);
      float sum = 0.f, weights = 0.f;
#pragma unroll
      for (int w = 0; w < WARPS; w++) {
        const float factor = exp2f(warpStats[w][g][0] - top);
        sum += factor * warpSums[w][g][d];
        weights += factor * warpStats[w][g][1];
      }
      const int head = kvHead * GROUP + g;
      if (splitCount == 1) {
        out[((size_t)newToken * heads + head) * HEAD_DIM + d] = float_to_act(sum / weights);
      } else {
        float* partial = partials + (((size_t)item * kvHeads + kvHead) * GROUP + g) * (HEAD_DIM + 2);
        partial[d] = sum;
        if (d == 0) partial[HEAD_DIM] = top, partial[HEAD_DIM + 1] = weights;
      }
    }
    if (splitCount > 1) {
      __threadfence();
      __syncthreads();
      if (threadIdx.x == 0) {
        u32* arrival = arrivals + (size_t)row * kvHeads + kvHead;
        isLast = atomicAdd(arrival, 1u) == (u32)splitCount - 1;
        if (isLast) *arrival = 0;
      }
      __syncthreads();
      if (isLast) {
        __threadfence();
        for (int index = threadIdx.x; index < GROUP * HEAD_DIM; index += WARPS * 32) {
          const int g = index / HEAD_DIM, d = index % HEAD_DIM;
          const size_t step = (size_t)kvHeads * GROUP * (HEAD_DIM + 2);
          const float* partial = partials + (((size_t)(item - split) * kvHeads + kvHead) * GROUP + g) * (HEAD_DIM + 2);
          float top = -1e30f;
          for (int s = 0; s < splitCount; s++) top = fmaxf(top, __ldcg(partial + s * step + HEAD_DIM));
          float sum = 0.f, weights = 0.f;
          for (int s = 0; s < splitCount; s++) {
            const float factor = exp2f(__ldcg(partial + s * step + HEAD_DIM) - top);
            sum += factor * __ldcg(partial + s * step + d);
            weights += factor * __ldcg(partial + s * step + HEAD_DIM + 1);
          }
          out[((size_t)newToken * heads + kvHead * GROUP + g) * HEAD_DIM + d] = float_to_act(sum / weights);
        }
      }
    }
    __syncthreads();
  }
  if (!waited) wait_predecessor();
}
