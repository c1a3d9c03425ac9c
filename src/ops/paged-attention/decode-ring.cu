// Attention of one new token a sequence over the paged KV cache on compute capability 9.0 and 10.x, with rotary
// embedding and the cache append fused in. It does the work of decode.cu, fed by bulk copies: one warp of a block
// copies cache blocks into a ring of shared memory and runs ahead over the whole list of work (decode-copies.cuh); the
// other warps take the cache blocks in turn. Copies start before the wait for the predecessor: earlier steps wrote the
// older tokens. The newest comes from qkv, and the warp that takes its block puts it into the slot.
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
#include "paged-attention/decode-floats.cuh"
#include "paged-attention/decode-input.cuh"

// With one query head a key head two blocks share a multiprocessor, and six warps have two slots each for LLaMA-2-7B's
// cache blocks.
#define DECODE_WARPS (GROUP == 1 ? 6 : 8)
struct DecodeShared {
  u64 full[32], empty[32];
  WarpSums<DECODE_WARPS> sums;
};

__device__ __forceinline__ void decode_sync() { asm volatile("bar.sync 1, %0;" ::"n"(DECODE_WARPS * 32) : "memory"); }

// Blocks of a unit that a warp takes: each takers-th.
struct Share {
  int first;
  int newest;  // the one that the new token belongs to; -1 if it is not this warp's
};

// A warp that takes cache blocks.
struct DecodeConsumer {
  const DecodeArgs& a;
  DecodeShared& shared;
  DecodeRing ring;
  int warp, lane, sub;  // `lane` of those that share a vector, `sub` the token of those that the warp takes at once
  int takers;           // warps that take blocks
  int stage;            // of the unit's first block, counted over all units
  KvVector newKey, newValue;
  DecodeSums sums;

  __device__ __forceinline__ bool active() const { return lane < USED_LANES; }

  __device__ __forceinline__ Share share_of(const Unit& u, int firstStage) const {
    const int first = warp < takers ? (warp - firstStage % takers + takers) % takers : u.blocks;
    const int newest = (u.newest() - u.first) / BLOCK_TOKENS;
    const bool isMine = newest < u.blocks && newest >= first && (newest - first) % takers == 0;
    return {first, isMine ? newest : -1};
  }

  // Requests what `start` takes; nothing for a warp without a share.
  __device__ __forceinline__ UnitInput request(const Unit& u, const Share& share) const {
    return share.first < u.blocks ? request_input(a, u, lane, share.newest >= 0) : UnitInput{};
  }

  // Rotates the unit's queries and, where it is this warp's, its new token, which it appends to the cache.
  __device__ __forceinline__ void start(const Unit& u, const Share& share, const UnitInput& in, float scale) {
    sums.clear();
    if (share.first >= u.blocks) return;
    if (share.newest >= 0) append_newest(a, u, in, lane, sub, newKey, newValue);
    float q[GROUP][EPL];
    rotate_queries(in, lane, scale, q);
    sums.take_queries(q);
  }

  // Puts the new token into its slot: the copy brought what lay in the cache before.
  __device__ __forceinline__ void put_newest(u32 at, int within) {
    if (sub == 0 && active()) {
      store_stage(at, 0, within, lane, newKey);
      store_stage(at, 1, within, lane, newValue);
    }
    shared_stores_fence();  // the slot's next copy comes later
    __syncwarp();
  }

  __device__ __forceinline__ void take_block(const Unit& u, int b, bool hasNewest) {
    const int slot = (stage + b) % a.stageCount, token0 = u.first + b * BLOCK_TOKENS;
    const u32 at = ring.slots + slot * RING_STAGE_BYTES;
    barrier_wait(ring.full + 8 * slot, (stage + b) / a.stageCount & 1);
    if (hasNewest) put_newest(at, u.newest() - token0);
    sums.take_slot(at, [&](int within) { return token0 + within < u.length && in_window(token0 + within, u.visible); });
    barrier_arrive(ring.empty + 8 * slot);
  }

  // `u` is the first unit. Where registers have room for it, the next one's input is on its way during a unit.
  __device__ __forceinline__ void run(Unit u, int unitCount) {
    constexpr bool isAhead = GROUP == 1;
    const float scale = score_scale();
    Share share = share_of(u, stage);
    UnitInput in{};
    if (isAhead && (int)blockIdx.x < unitCount) in = request(u, share);
    for (int index = blockIdx.x; index < unitCount; index += gridDim.x) {
      const bool hasNext = index + (int)gridDim.x < unitCount;
      Unit next = u;
      if (isAhead && hasNext) next = unit_at(a, index + gridDim.x);
      if (!isAhead) in = request(u, share);
      start(u, share, in, scale);
      for (int b = share.first; b < u.blocks; b += takers) take_block(u, b, b == share.newest);
      stage += u.blocks;
      if (isAhead && hasNext) in = request(next, share = share_of(next, stage));
      decode_sync();  // the previous unit's sums have been read
      sums.put(shared.sums, warp);
      decode_sync();
      finish_unit(a, u, shared.sums, [] { decode_sync(); });
      if (!isAhead && hasNext) next = unit_at(a, index + gridDim.x), share = share_of(next, stage);
      u = next;
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
  // The next layer's copies would take the predecessor's share of the bus before.
  allow_successor();
  DecodeConsumer consumer{a, shared, ring, warp, lane, sub, min(DECODE_WARPS, a.stageCount), 0};
  consumer.run(first, unitCount);
}
