// The ring of cache blocks of decode-ring.cu, and the warp that copies them into it. Slots are filled unit by unit, and
// block by block of a unit's split. A slot holds what a head needs of a block: keys, values and, where the cache has 8
// bits, their scales.
#pragma once
#include "cuda/async.cuh"
#include "cuda/memory.cuh"
#include "paged-attention/decode-lanes.cuh"
#include "paged-attention/decode-unit.cuh"
#include "paged-attention/kv-cache.cuh"

#ifdef KV_8BIT
#define RING_STAGE_BYTES KV_HEAD_BYTES
#else
#define HALF_BYTES (BLOCK_TOKENS * HEAD_DIM * 2)  // keys or values of a cache block and head
#define RING_STAGE_BYTES (2 * HALF_BYTES)
#endif

// Addresses of the ring's slots, and of the barriers of slots that are full and empty.
struct DecodeRing {
  u32 slots, full, empty;
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

// The warp that copies.
struct DecodeProducer {
  const DecodeArgs& a;
  DecodeRing ring;
  int slot;
  u32 parity;

  // Requests block `block` of the cache, which is the b-th of a unit. One lane calls it.
  __device__ __forceinline__ void copy_block(const Unit& u, int b, int block) {
    const u32 full = ring.full + 8 * slot, to = ring.slots + slot * RING_STAGE_BYTES;
    barrier_wait(ring.empty + 8 * slot, parity);
#ifdef KV_8BIT
    barrier_expect(full, KV_HEAD_BYTES);
    bulk_copy(to, a.cache + block * a.blockStride + (size_t)u.kvHead * KV_HEAD_BYTES, KV_HEAD_BYTES, full);
#else
    const u32 bytes = min(BLOCK_TOKENS, u.length - u.first - b * BLOCK_TOKENS) * HEAD_DIM * 2;
    const u16* keys = a.cache + block * a.blockStride + (size_t)u.kvHead * BLOCK_TOKENS * HEAD_DIM;
    barrier_expect(full, 2 * bytes);
    bulk_copy(to, keys, bytes, full);
    bulk_copy(to + HALF_BYTES, keys + (size_t)a.kvHeads * BLOCK_TOKENS * HEAD_DIM, bytes, full);
#endif
  }

  __device__ __forceinline__ void run(int unitCount) {
    const int lane = threadIdx.x & 31;
    for (int index = blockIdx.x; index < unitCount; index += gridDim.x) {
      const Unit u = unit_at(a, index);
      const int* table = a.blockTables + (size_t)u.row * a.maxBlocks + u.first / BLOCK_TOKENS;
      for (int b0 = 0; b0 < u.blocks; b0 += 32) {
        const int mine = b0 + lane < u.blocks ? table[b0 + lane] : 0;
        for (int b = b0; b < min(b0 + 32, u.blocks); b++) {
          const int block = __shfl_sync(0xffffffffu, mine, b - b0);
          if (lane == 0) copy_block(u, b, block);
          if (++slot == a.stageCount) slot = 0, parity ^= 1;
        }
      }
    }
  }
};
