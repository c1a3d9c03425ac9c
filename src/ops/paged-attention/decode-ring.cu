// Attention of one new token a sequence over the paged KV cache on compute capability 9.0, with rotary embedding and
// the cache append fused in. It does the work of decode.cu, fed by bulk copies: one warp of a block copies cache blocks
// into a ring of shared memory and runs ahead over the whole list of work (decode-copies.cuh); the other warps take its
// slots in turn. Copies start before the wait for the predecessor: earlier steps wrote the older tokens. The
// newest comes from qkv, and the warp that takes its slot puts it there.
//
// A slot of the ring always serves the same warp (the number of slots is a multiple of the number of warps that take
// slots). Otherwise a fast warp could wait for a slot two rounds ahead of a slow one, and parity cannot tell such
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
#ifdef INT8_STAGE_BLOCKS
#include "paged-attention/decode-int8.cuh"
#else
#include "paged-attention/decode-floats.cuh"
#endif

// With one query head a key head two blocks share a multiprocessor, and six warps have two slots each for LLaMA-2-7B's
// cache blocks of 16 bits.
#define DECODE_WARPS (GROUP == 1 ? 6 : 8)
struct DecodeShared {
  u64 full[32], empty[32];
  WarpSums<DECODE_WARPS> sums;
};

__device__ __forceinline__ void decode_sync() { asm volatile("bar.sync 1, %0;" ::"n"(DECODE_WARPS * 32) : "memory"); }

// Slots of a unit that a warp takes: each takers-th.
struct Share {
  int first;
  int newest;  // the one that the new token belongs to; -1 if it is not this warp's
};

// What a warp reads of a unit beside its cached tokens.
struct UnitInput {
  Rotation rotation;
  Vec16 query[GROUP], newKey, newValue;
  int newBlock;  // of the cache, for the new token
};

// A warp that takes slots.
struct DecodeConsumer {
  const DecodeArgs& a;
  DecodeShared& shared;
  DecodeRing ring;
  int warp, lane, sub;  // `lane` of those that share a vector, `sub` the token of those that the warp takes at once
  int takers;           // warps that take slots
  int stage;            // of the unit's first slot, counted over all units
  KvVector newKey, newValue;
  DecodeSums sums;

  __device__ __forceinline__ bool active() const { return lane < USED_LANES; }

  __device__ __forceinline__ Share share_of(const Unit& u, int firstStage) const {
    const int first = warp < takers ? (warp - firstStage % takers + takers) % takers : stages_of(u);
    const int newest = (u.newest() - u.first) / STAGE_TOKENS;
    const bool isMine = u.newest() < u.end() && newest >= first && (newest - first) % takers == 0;
    return {first, isMine ? newest : -1};
  }

  // Requests what `start` takes; nothing for a warp without a share.
  __device__ __forceinline__ UnitInput request(const Unit& u, const Share& share) const {
    UnitInput in{};
    if (share.first >= stages_of(u)) return in;
    const int newest = u.newest(), heads = a.heads();
    const u16* source = a.qkv + (size_t)u.newToken * (heads + 2 * a.kvHeads) * HEAD_DIM;
    in.rotation = load_rotation(a.cosTable, a.sinTable, newest, lane);
    if (!active()) return in;
#pragma unroll
    for (int g = 0; g < GROUP; g++) in.query[g] = load16(source + (u.kvHead * GROUP + g) * HEAD_DIM + lane * EPL);
    if (share.newest < 0) return in;
    in.newBlock = a.blockTables[(size_t)u.row * a.maxBlocks + newest / BLOCK_TOKENS];
    in.newKey = load16(source + (heads + u.kvHead) * HEAD_DIM + lane * EPL);
    in.newValue = load16(source + (heads + a.kvHeads + u.kvHead) * HEAD_DIM + lane * EPL);
    return in;
  }

  // Rotates the unit's queries and, where it is this warp's, its new token, which it appends to the cache.
  __device__ __forceinline__ void start(const Unit& u, const Share& share, const UnitInput& in, float scale) {
    sums.clear();
    if (share.first >= stages_of(u)) return;
    if (share.newest >= 0) {
      float k[EPL];
      unpack8(in.newKey, k);
      rotate_lane(k, in.rotation, lane);
      newKey = kv_from_activations<LANES>(pack8(k));
      newValue = kv_from_activations<LANES>(in.newValue);
      if (sub == 0 && active())
        kv_store_both(a.cache, a.blockStride, a.kvHeads, in.newBlock, u.kvHead, u.newest() % BLOCK_TOKENS, lane, newKey,
                      newValue);
    }
    float q[GROUP][EPL];
#pragma unroll
    for (int g = 0; g < GROUP; g++) {
      unpack8(in.query[g], q[g]);
      rotate_lane(q[g], in.rotation, lane);
#pragma unroll
      for (int i = 0; i < EPL; i++) q[g][i] *= scale;
    }
    sums.take_queries(q);
  }

  // Puts the new token into its slot: the copy brought what lay in the cache before.
  __device__ __forceinline__ void put_newest(u32 at, int within) {
    const u32 block = at + within / BLOCK_TOKENS * RING_BLOCK_BYTES;
    if (sub == 0 && active()) {
      store_stage(block, 0, within % BLOCK_TOKENS, lane, newKey);
      store_stage(block, 1, within % BLOCK_TOKENS, lane, newValue);
    }
    shared_stores_fence();  // the slot's next copy comes later
    __syncwarp();
  }

  __device__ __forceinline__ void take_slot(const Unit& u, int s, bool hasNewest) {
    const int slot = (stage + s) % a.stageCount, token0 = u.first + s * STAGE_TOKENS;
    const u32 at = ring.slots + slot * RING_STAGE_BYTES;
    barrier_wait(ring.full + 8 * slot, (stage + s) / a.stageCount & 1);
    if (hasNewest) put_newest(at, u.newest() - token0);
    const int count = min(u.end(), u.length) - token0;
    sums.take_slot(at, count, [&](int within) { return within < count && in_window(token0 + within, u.visible); });
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
      for (int s = share.first; s < stages_of(u); s += takers) take_slot(u, s, s == share.newest);
      stage += stages_of(u);
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
  DecodeConsumer consumer{a, shared, ring, warp, lane, sub, min(DECODE_WARPS, a.stageCount), 0};
  consumer.run(first, unitCount);
}
