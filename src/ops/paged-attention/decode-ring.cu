// Attention of one new token a sequence over the paged KV cache on compute capability 9.0, with rotary embedding and the
// cache append fused in. The same work as decode.cu, fed by bulk copies: one warp of a block copies cache blocks (a block's
// keys of a head are contiguous, its values too) into a ring of shared memory and runs ahead over the whole list of work;
// the other warps take the cache blocks in turn. Copies start before the wait for the predecessor:
// older tokens were written by earlier steps, and the newest comes from qkv and is put into its slot by the warp that takes it.
//
// A slot of the ring always serves the same warp (the number of slots is a multiple of the number of warps that take
// blocks). Otherwise a fast warp could wait for a slot two rounds ahead of a slow one, and parity cannot tell such rounds apart.
//
// Work: items (row, split of SPLIT_TOKENS cached tokens) times KV heads. Splits of a row leave partial sums; the block that
// comes last adds them in split order, so results depend on the sequence alone.
//
// `cache` points to the layer in block 0; kv-cache.cuh says how it lies there.
#include "cuda/act.cuh"
#include "cuda/async.cuh"
#include "cuda/launch.cuh"
#include "cuda/memory.cuh"
#include "paged-attention/decode-lanes.cuh"
#include "paged-attention/kv-cache.cuh"

// With one query head a key head two blocks share a multiprocessor, and six warps have two slots each for LLaMA-2-7B's cache blocks.
#define DECODE_WARPS (GROUP == 1 ? 6 : 8)
#define TOKENS_A_WARP (32 / LANES)
#define PASSES ((BLOCK_TOKENS + TOKENS_A_WARP - 1) / TOKENS_A_WARP)
// Passes whose keys are in registers at the same time.
#define PASSES_AT_ONCE (PASSES % 8 == 0 ? 8 : PASSES % 4 == 0 ? 4 : PASSES % 2 == 0 ? 2 : 1)
#ifdef KV_8BIT
#define RING_STAGE_BYTES KV_HEAD_BYTES
#else
#define HALF_BYTES (BLOCK_TOKENS * HEAD_DIM * 2)  // keys or values of a cache block and head
#define RING_STAGE_BYTES (2 * HALF_BYTES)
#endif

struct RingDecodeArgs {
  const u16* qkv;            // [tokens, (heads + 2 kvHeads) * HEAD_DIM]
  KvElement* cache;
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
  int kvHeads, maxBlocks, stageCount;
};

struct DecodeShared {
  u64 full[32], empty[32];
  float stats[DECODE_WARPS][GROUP][2];
  float sums[DECODE_WARPS][GROUP][HEAD_DIM];
  bool isLast;
};

// This lane's part of a token's key or value in a slot of the ring.
__device__ __forceinline__ KvVector load_stage(u32 slot, int isValue, int token, int lane) {
#ifdef KV_8BIT
  const int vector = isValue * BLOCK_TOKENS + token;
  return kv_load_shared(slot + vector * HEAD_DIM + lane * EPL, slot + 2 * KV_HALF_BYTES + vector * 4);
#else
  return load_shared16(slot + isValue * HALF_BYTES + (token * HEAD_DIM + lane * EPL) * 2);
#endif
}

__device__ __forceinline__ void store_stage(u32 slot, int isValue, int token, int lane, const KvVector& v) {
#ifdef KV_8BIT
  const int vector = isValue * BLOCK_TOKENS + token;
  kv_store_shared(slot + vector * HEAD_DIM + lane * EPL, slot + 2 * KV_HALF_BYTES + vector * 4, v);
#else
  store_shared16(slot + isValue * HALF_BYTES + (token * HEAD_DIM + lane * EPL) * 2, v);
#endif
}

__device__ __forceinline__ void decode_sync() { asm volatile("bar.sync 1, %0;" ::"n"(DECODE_WARPS * 32) : "memory"); }

// What a unit of work covers. `newToken`: the row's token in qkv and out.
struct Unit {
  int item, row, split, kvHead, length, first, blocks, newToken;
};

__device__ __forceinline__ Unit unit_of(const RingDecodeArgs& a, int index) {
  Unit u;
  u.item = index / a.kvHeads;
  u.kvHead = index % a.kvHeads;
  u.row = a.items[u.item] >> 16;
  u.split = a.items[u.item] & 0xffff;
  u.length = a.contextLengths[u.row];
  u.newToken = a.rowOffsets[u.row];
  u.first = u.split * SPLIT_TOKENS;
  u.blocks = (min(SPLIT_TOKENS, u.length - u.first) + BLOCK_TOKENS - 1) / BLOCK_TOKENS;
  return u;
}

__device__ __forceinline__ void produce(const RingDecodeArgs& a, u32 ring, u32 full, u32 empty, int unitCount) {
  const int lane = threadIdx.x & 31;
  int slot = 0;
  u32 parity = 1;  // the first round finds every slot empty
  for (int index = blockIdx.x; index < unitCount; index += gridDim.x) {
    const Unit u = unit_of(a, index);
    const int* table = a.blockTables + (size_t)u.row * a.maxBlocks + u.first / BLOCK_TOKENS;
    for (int b0 = 0; b0 < u.blocks; b0 += 32) {
      const int mine = b0 + lane < u.blocks ? table[b0 + lane] : 0;
      for (int b = b0; b < min(b0 + 32, u.blocks); b++) {
        const int block = __shfl_sync(0xffffffffu, mine, b - b0);
        if (lane == 0) {
#ifdef KV_8BIT
          barrier_wait(empty + 8 * slot, parity);
          barrier_expect(full + 8 * slot, KV_HEAD_BYTES);
          bulk_copy(ring + slot * RING_STAGE_BYTES, a.cache + block * a.blockStride + (size_t)u.kvHead * KV_HEAD_BYTES, KV_HEAD_BYTES,
                    full + 8 * slot);
#else
          const u32 bytes = min(BLOCK_TOKENS, u.length - u.first - b * BLOCK_TOKENS) * HEAD_DIM * 2;
          const u16* keys = a.cache + block * a.blockStride + (size_t)u.kvHead * BLOCK_TOKENS * HEAD_DIM;
          barrier_wait(empty + 8 * slot, parity);
          barrier_expect(full + 8 * slot, 2 * bytes);
          bulk_copy(ring + slot * RING_STAGE_BYTES, keys, bytes, full + 8 * slot);
          bulk_copy(ring + slot * RING_STAGE_BYTES + HALF_BYTES, keys + (size_t)a.kvHeads * BLOCK_TOKENS * HEAD_DIM, bytes, full + 8 * slot);
#endif
        }
        if (++slot == a.stageCount) slot = 0, parity ^= 1;
      }
    }
  }
}

// Adds the warps' sums of a unit; the last split of a row adds the splits.
__device__ __forceinline__ void finish_unit(const RingDecodeArgs& a, DecodeShared& shared, const Unit& u) {
  const int heads = a.kvHeads * GROUP, splitCount = (u.length + SPLIT_TOKENS - 1) / SPLIT_TOKENS;
  for (int index = threadIdx.x; index < GROUP * HEAD_DIM; index += DECODE_WARPS * 32) {
    const int g = index / HEAD_DIM, d = index % HEAD_DIM;
    float top = -1e30f;
#pragma unroll
    for (int w = 0; w < DECODE_WARPS; w++) top = fmaxf(top, shared.stats[w][g][0]);
    float sum = 0.f, weights = 0.f;
#pragma unroll
    for (int w = 0; w < DECODE_WARPS; w++) {
      const float factor = exp2f(shared.stats[w][g][0] - top);
      sum += factor * shared.sums[w][g][d];
      weights += factor * shared.stats[w][g][1];
    }
    if (splitCount == 1) {
      a.out[((size_t)u.newToken * heads + u.kvHead * GROUP + g) * HEAD_DIM + d] = float_to_act(sum / weights);
    } else {
      float* partial = a.partials + (((size_t)u.item * a.kvHeads + u.kvHead) * GROUP + g) * (HEAD_DIM + 2);
      partial[d] = sum;
      if (d == 0) partial[HEAD_DIM] = top, partial[HEAD_DIM + 1] = weights;
    }
  }
  if (splitCount == 1) return;
  __threadfence();
  decode_sync();
  if (threadIdx.x == 0) {
    u32* arrival = a.arrivals + (size_t)u.row * a.kvHeads + u.kvHead;
    shared.isLast = atomicAdd(arrival, 1u) == (u32)splitCount - 1;
    if (shared.isLast) *arrival = 0;
  }
  decode_sync();
  if (!shared.isLast) return;
  __threadfence();
  for (int index = threadIdx.x; index < GROUP * HEAD_DIM; index += DECODE_WARPS * 32) {
    const int g = index / HEAD_DIM, d = index % HEAD_DIM;
    const size_t step = (size_t)a.kvHeads * GROUP * (HEAD_DIM + 2);
    const float* partial = a.partials + (((size_t)(u.item - u.split) * a.kvHeads + u.kvHead) * GROUP + g) * (HEAD_DIM + 2);
    float top = -1e30f;
    for (int s = 0; s < splitCount; s++) top = fmaxf(top, __ldcg(partial + s * step + HEAD_DIM));
    float sum = 0.f, weights = 0.f;
    for (int s = 0; s < splitCount; s++) {
      const float factor = exp2f(__ldcg(partial + s * step + HEAD_DIM) - top);
      sum += factor * __ldcg(partial + s * step + d);
      weights += factor * __ldcg(partial + s * step + HEAD_DIM + 1);
    }
    a.out[((size_t)u.newToken * heads + u.kvHead * GROUP + g) * HEAD_DIM + d] = float_to_act(sum / weights);
  }
}

extern "C" __global__ void __launch_bounds__((DECODE_WARPS + 1) * 32, GROUP == 1 ? 2 : 1)
    attention_decode_ring(const u16* qkv, KvElement* cache, u16* out, const float* cosTable, const float* sinTable,
                          const int* rowOffsets, const int* contextLengths, const int* blockTables, const int* items,
                          const int* itemCount, float* partials, u32* arrivals, u64 blockStride, int kvHeads, int maxBlocks,
                          int stageCount) {
  const RingDecodeArgs a{qkv, cache, out, cosTable, sinTable, rowOffsets, contextLengths, blockTables,
                         items, itemCount, partials, arrivals, blockStride, kvHeads, maxBlocks, stageCount};
  extern __shared__ __align__(128) u8 memory[];
  __shared__ DecodeShared shared;
  const u32 ring = shared_address(memory), full = shared_address(shared.full), empty = shared_address(shared.empty);
  const int warp = threadIdx.x >> 5, lane = threadIdx.x & (LANES - 1), sub = (threadIdx.x & 31) / LANES;
  if (threadIdx.x == 0)
    for (int s = 0; s < stageCount; s++) {
      barrier_init(full + 8 * s, 1);
      barrier_init(empty + 8 * s, 1);
    }
  barriers_fence();
  __syncthreads();
  allow_successor();
  const int unitCount = *itemCount * kvHeads;
  if (warp == DECODE_WARPS) {
    produce(a, ring, full, empty, unitCount);
    wait_predecessor();
    return;
  }

  // The step's description was there before the step.
  Unit u{};
  if ((int)blockIdx.x < unitCount) u = unit_of(a, blockIdx.x);
  wait_predecessor();
  const bool active = lane < USED_LANES;
  const int heads = kvHeads * GROUP;
  const float scale = rsqrtf((float)HEAD_DIM) * 1.44269504f;  // scores in powers of two
  const int takers = min(DECODE_WARPS, stageCount);  // warps that take blocks
  int stage = 0;  // of the unit's first block, over all units
  for (int index = blockIdx.x; index < unitCount; index += gridDim.x) {
    const int newest = u.length - 1;
    const u16* source = qkv + (size_t)u.newToken * (heads + 2 * kvHeads) * HEAD_DIM;
    // The warp's blocks: those whose place in the ring's sequence is its own modulo the number of takers.
    const int firstOwn = warp < takers ? (warp - stage % takers + takers) % takers : u.blocks;
    const int newestBlock = (newest - u.first) / BLOCK_TOKENS;
    const bool hasNewest = newestBlock < u.blocks && newestBlock >= firstOwn && (newestBlock - firstOwn) % takers == 0;
    const Rotation rotation = load_rotation(cosTable, sinTable, newest, lane);
    Vec16 query[GROUP], newKeyBits = zero16(), newValueBits = zero16();
#pragma unroll
    for (int g = 0; g < GROUP; g++) query[g] = active ? load16(source + (u.kvHead * GROUP + g) * HEAD_DIM + lane * EPL) : zero16();
    int ownBlock = 0;
    if (hasNewest && active) {
      ownBlock = blockTables[(size_t)u.row * maxBlocks + newest / BLOCK_TOKENS];
      newKeyBits = load16(source + (heads + u.kvHead) * HEAD_DIM + lane * EPL);
      newValueBits = load16(source + (heads + kvHeads + u.kvHead) * HEAD_DIM + lane * EPL);
    }
    KvVector newKey = kv_zero(), newValue = kv_zero();
    if (hasNewest) {
      float k[EPL];
      unpack8(newKeyBits, k);
      rotate_lane(k, rotation, lane);
      newKey = kv_from_activations<LANES>(pack8(k));
      newValue = kv_from_activations<LANES>(newValueBits);
      if (sub == 0 && active)
        kv_store_both(cache, blockStride, kvHeads, ownBlock, u.kvHead, newest % BLOCK_TOKENS, lane, newKey, newValue);
    }
    float q[GROUP][EPL], acc[GROUP][EPL], best[GROUP], total[GROUP];
#pragma unroll
    for (int g = 0; g < GROUP; g++) {
      unpack8(query[g], q[g]);
      rotate_lane(q[g], rotation, lane);
      best[g] = -1e30f, total[g] = 0.f;
#pragma unroll
      for (int i = 0; i < EPL; i++) q[g][i] *= scale, acc[g][i] = 0.f;
    }

    for (int b = firstOwn; b < u.blocks; b += takers) {
      const int slot = (stage + b) % stageCount;
      const u32 at = ring + slot * RING_STAGE_BYTES;
      const int token0 = u.first + b * BLOCK_TOKENS;
      barrier_wait(full + 8 * slot, (stage + b) / stageCount & 1);
      if (hasNewest && b == newestBlock) {
        if (sub == 0 && active) {
          store_stage(at, 0, newest % BLOCK_TOKENS, lane, newKey);
          store_stage(at, 1, newest % BLOCK_TOKENS, lane, newValue);
        }
        shared_stores_fence();  // the slot's next copy comes later
        __syncwarp();
      }

      float score[GROUP][PASSES], top[GROUP];
#pragma unroll
      for (int g = 0; g < GROUP; g++) top[g] = best[g];
#pragma unroll
      for (int p0 = 0; p0 < PASSES; p0 += PASSES_AT_ONCE) {
        KvVector keys[PASSES_AT_ONCE];
#pragma unroll
        for (int p = 0; p < PASSES_AT_ONCE; p++) {
          const int within = (p0 + p) * TOKENS_A_WARP + sub;
          keys[p] = active && within < BLOCK_TOKENS ? load_stage(at, 0, within, lane) : kv_zero();
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
            const bool live = within < BLOCK_TOKENS && token0 + within < u.length;
            const float sum = __shfl_sync(0xffffffffu, sums[g][place<PASSES_AT_ONCE, LANES>(p)], holder<PASSES_AT_ONCE, LANES>(p), LANES);
            score[g][p0 + p] = live ? kv_scaled(sum, keys[p]) : -1e30f;
            top[g] = fmaxf(top[g], score[g][p0 + p]);
          }
        }
      }
#pragma unroll
      for (int g = 0; g < GROUP; g++) {
#pragma unroll
        for (int mask = LANES; mask < 32; mask <<= 1) top[g] = fmaxf(top[g], __shfl_xor_sync(0xffffffffu, top[g], mask));
        const float factor = exp2f(best[g] - top[g]);
        best[g] = top[g];
        total[g] *= factor;
#pragma unroll
        for (int i = 0; i < EPL; i++) acc[g][i] *= factor;
      }
#pragma unroll
      for (int p = 0; p < PASSES; p++) {
        const int within = p * TOKENS_A_WARP + sub, token = token0 + within;
        const bool live = within < BLOCK_TOKENS && token < u.length;
        float v[EPL];
        const KvVector value = active && within < BLOCK_TOKENS ? load_stage(at, 1, within, lane) : kv_zero();
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
      __syncwarp();
      if ((threadIdx.x & 31) == 0) barrier_arrive(empty + 8 * slot);
    }
    stage += u.blocks;

#pragma unroll
    for (int g = 0; g < GROUP; g++) {
#pragma unroll
      for (int mask = LANES; mask < 32; mask <<= 1) {
        total[g] += __shfl_xor_sync(0xffffffffu, total[g], mask);
#pragma unroll
        for (int i = 0; i < EPL; i++) acc[g][i] += __shfl_xor_sync(0xffffffffu, acc[g][i], mask);
      }
    }
    decode_sync();  // the previous unit's sums have been read
    if (sub == 0 && active) {
#pragma unroll
      for (int g = 0; g < GROUP; g++) {
#pragma unroll
        for (int i = 0; i < EPL; i++) shared.sums[warp][g][lane * EPL + i] = acc[g][i];
        if (lane == 0) shared.stats[warp][g][0] = best[g], shared.stats[warp][g][1] = total[g];
      }
    }
    decode_sync();
    finish_unit(a, shared, u);
    if (index + (int)gridDim.x < unitCount) u = unit_of(a, index + gridDim.x);
  }
}
