// Attention of one new token a sequence over an int8 paged KV cache on compute capability 9.0 and 10.x, with rotary
// embedding and the cache append fused in. A warp takes units of the list in turn, copies their cache blocks into two
// slots of its own with bulk copies, and multiplies on tensor cores (decode-int8.cuh). Its copies run ahead over the
// list: a slot is filled again as soon as it has been read, with the next unit's blocks after this one's. The first
// ones start before the wait for the predecessor: earlier steps wrote the older tokens. The newest comes from qkv.
//
// A slot takes a warp more than a microsecond, most of which is waiting. So where there are few units, the warps of a
// team share each: they take its slots in turn, and their sums meet in shared memory (int8-team.cuh).
#include "cuda/async.cuh"
#include "cuda/launch.cuh"
#include "cuda/memory.cuh"
#include "paged-attention/decode-input.cuh"
#include "paged-attention/decode-int8.cuh"
#include "paged-attention/decode-merge.cuh"
#include "paged-attention/decode-unit.cuh"
#include "paged-attention/int8-team.cuh"
#include "paged-attention/kv-cache.cuh"

#define SLOTS 2
#define SLOT_BYTES (INT8_SLOT_BLOCKS * KV_HEAD_BYTES)

// Barriers of a warp's slots that are full and empty.
struct SlotBarriers {
  u64 full[SLOTS], empty[SLOTS];
};

__device__ __forceinline__ int slots_of(const Unit& u) { return (u.blocks + INT8_SLOT_BLOCKS - 1) / INT8_SLOT_BLOCKS; }

// Copies of the units from `index` on, each `step`-th: of their slots those of a member of the team.
template <typename Place>
struct AheadCopies {
  const DecodeArgs& a;
  Place place;
  int index, step, unitCount;
  Unit u;
  int done;              // of the member's slots of the unit: that have been requested
  int block, nextBlock;  // of the cache: this lane's of the 32 that are being requested, and of the 32 after those

  __device__ __forceinline__ void open() {
    done = 0;
    if (index >= unitCount) return;
    u = unit_at(a, index);
    nextBlock = block_of(0);
  }

  // This lane's of 32 of the member's blocks of the unit, from `first` on.
  __device__ __forceinline__ int block_of(int first) const {
    const int own = first + (threadIdx.x & 31);
    const int b = place.slot(own / INT8_SLOT_BLOCKS) * INT8_SLOT_BLOCKS + own % INT8_SLOT_BLOCKS;
    return b < u.blocks ? a.blockTables[(size_t)u.row * a.maxBlocks + u.first / BLOCK_TOKENS + b] : 0;
  }

  // Requests the next blocks of the list, if there are any, for a slot that is empty. The whole warp calls it.
  __device__ __forceinline__ void request(u32 slot, u32 full) {
    while (index < unitCount && place.slot(done) >= slots_of(u)) index += step, open();
    if (index >= unitCount) return;
    const int first = done * INT8_SLOT_BLOCKS;
    const int count = min(INT8_SLOT_BLOCKS, u.blocks - place.slot(done) * INT8_SLOT_BLOCKS);
    if (first % 32 == 0) block = nextBlock, nextBlock = block_of(first + 32);
    const bool isFirstLane = (threadIdx.x & 31) == 0;
    if (isFirstLane) barrier_expect(full, count * KV_HEAD_BYTES);
    for (int b = 0; b < count; b++) {
      const int from = __shfl_sync(0xffffffffu, block, (first + b) % 32);
      if (isFirstLane)
        bulk_copy(slot + b * KV_HEAD_BYTES, a.cache + from * a.blockStride + (size_t)u.kvHead * KV_HEAD_BYTES,
                  KV_HEAD_BYTES, full);
    }
    done++;
  }
};

// A unit whose part of a row's sums is stored. It is counted a unit later, when the stores are done, and the count is
// looked at one unit after that: a warp that waits for both at once takes a quarter more time for a unit beside its
// tokens (docs/performance.md).
struct StoredPart {
  int index;      // of the unit; negative: none
  u32* arrivals;  // counter of its row and head
  int splits;
};

// A warp, its units and its part in them.
template <typename Place>
struct Int8Decoder {
  const DecodeArgs& a;
  u32 slots, barriers;  // addresses
  int lane, sub;        // as in decode-lanes.cuh
  AheadCopies<Place> copies;
  TeamSums* shared;  // of the block
  int slot, parity, turn;
  StoredPart stored, counted;
  u32 before;  // count before `counted`, in the first lane
  Int8Sums sums;

  __device__ __forceinline__ u32 slot_at(int i) const { return slots + i * SLOT_BYTES; }
  __device__ __forceinline__ u32 full(int i) const { return barriers + 8 * i; }
  __device__ __forceinline__ u32 empty(int i) const { return barriers + 8 * (SLOTS + i); }

  __device__ __forceinline__ void start_copies() {
    if ((threadIdx.x & 31) == 0) {
#pragma unroll
      for (int i = 0; i < SLOTS; i++) {
        barrier_init(full(i), 1);
        barrier_init(empty(i), 32);
      }
      barriers_fence();
    }
    __syncwarp();
    copies.open();
#pragma unroll
    for (int i = 0; i < SLOTS; i++) copies.request(slot_at(i), full(i));
  }

  // Puts the new token into its slot: the copy brought what lay in the cache before.
  __device__ __forceinline__ void put_newest(int within, const KvVector& key, const KvVector& value) {
    const u32 block = slot_at(slot) + within / BLOCK_TOKENS * KV_HEAD_BYTES;
    const int token = within % BLOCK_TOKENS;
    const u32 scales = block + 2 * KV_HALF_BYTES;
    if (sub == 0 && lane < USED_LANES) {
      kv_store_shared(block + token * HEAD_DIM + lane * EPL, scales + token * 4, key);
      kv_store_shared(block + KV_HALF_BYTES + token * HEAD_DIM + lane * EPL, scales + (BLOCK_TOKENS + token) * 4,
                      value);
    }
    shared_stores_fence();  // the slot's next copy comes later
    __syncwarp();
  }

  // Whether the new token lies in a slot of this warp.
  __device__ __forceinline__ bool has_newest(const Unit& u) const {
    return u.newest() < u.end() && copies.place.has((u.newest() - u.first) / SLOT_TOKENS);
  }

  __device__ __forceinline__ void take_unit(const Unit& u, const UnitInput& in) {
    KvVector newKey, newValue;
    const bool hasNewest = has_newest(u);
    if (hasNewest) append_newest(a, u, in, lane, sub, newKey, newValue);
    {
      float q[GROUP][EPL];
      rotate_queries(in, lane, score_scale(), q);
      sums.clear();
      sums.take_queries(q);
    }
    const Place& place = copies.place;
    for (int token0 = u.first + place.member * SLOT_TOKENS; token0 < u.end(); token0 += place.warps * SLOT_TOKENS) {
      barrier_wait(full(slot), parity);
      const int within = u.newest() - token0;
      if (hasNewest && within >= 0 && within < SLOT_TOKENS) put_newest(within, newKey, newValue);
      const int count = min(u.end(), u.length) - token0;
      sums.take_slot(slot_at(slot), count,
                     [&](int token) { return token < count && in_window(token0 + token, u.visible); });
      barrier_arrive(empty(slot));
      barrier_wait(empty(slot), parity);
      copies.request(slot_at(slot), full(slot));
      if (++slot == SLOTS) slot = 0, parity ^= 1;
    }
  }

  // Counts the part that was stored before, and merges the row of the one that was counted before, if it was the last.
  __device__ __forceinline__ void advance_parts() {
    const int thread = threadIdx.x & 31;
    if (counted.index >= 0 && __shfl_sync(0xffffffffu, before, 0) == (u32)counted.splits - 1) {
      if (thread == 0) *counted.arrivals = 0;
      __threadfence();
      merge_splits<32>(a, unit_at(a, counted.index), thread);
    }
    __syncwarp();
    if (stored.index >= 0 && thread == 0) before = count_arrival(stored.arrivals);
    counted = stored;
    stored.index = -1;
  }

  __device__ __forceinline__ void finish_unit(const Unit& u, int index) {
    sums.finish();
    if constexpr (Place::IS_TEAM)
      if (!share_sums(*shared, copies.place, sums, turn ^= 1)) return;
    advance_parts();
    if (u.splits() == 1) {
      sums.store_result(a, u);
      return;
    }
    sums.store_partial(a, u);
    stored = {index, arrivals_of(a, u), u.splits()};
  }

  __device__ __forceinline__ void run() {
    const int step = copies.step, unitCount = copies.unitCount;
    int index = copies.index;
    stored.index = counted.index = -1;
    start_copies();
    Unit u{};
    if (index < unitCount) u = unit_at(a, index);
    wait_predecessor();
    UnitInput in{};
    if (index < unitCount) in = request_input(a, u, lane, has_newest(u));
    for (; index < unitCount; index += step) {
      take_unit(u, in);
      const Unit done = u;
      if (index + step < unitCount) {
        u = unit_at(a, index + step);
        in = request_input(a, u, lane, has_newest(u));
      }
      finish_unit(done, index);
    }
#pragma unroll 1
    for (int parts = 0; parts < 2; parts++) advance_parts();
  }
};

template <typename Place>
__device__ __forceinline__ void decode_int8(const DecodeArgs& a, SlotBarriers* barriers, TeamSums* shared) {
  extern __shared__ __align__(128) u8 memory[];
  const int warp = threadIdx.x >> 5, lane = threadIdx.x & (LANES - 1), sub = (threadIdx.x & 31) / LANES;
  allow_successor();
  // The step's description was there before the step. Few units are spread over all blocks before a block has two.
  const int unitCount = *a.itemCount * a.kvHeads;
  const Place place(a, warp);
  AheadCopies<Place> copies{a, place, place.team * (int)gridDim.x + (int)blockIdx.x,
                            (int)gridDim.x * (INT8_WARPS / place.warps), unitCount};
  Int8Decoder<Place> decoder{
      a,     shared_address(memory) + warp * SLOTS * SLOT_BYTES, shared_address(&barriers[warp]), lane, sub, copies,
      shared};
  decoder.run();
}

extern "C" __global__ void __launch_bounds__(INT8_WARPS * 32, 2) attention_decode_int8(const DecodeArgs a) {
  __shared__ SlotBarriers barriers[INT8_WARPS];
  decode_int8<AloneInTeam>(a, barriers, nullptr);
}

#if INT8_TEAMS
extern "C" __global__ void __launch_bounds__(INT8_WARPS * 32, 2) attention_decode_int8_teams(const DecodeArgs a) {
  __shared__ SlotBarriers barriers[INT8_WARPS];
  __shared__ TeamSums shared;
  decode_int8<PlaceInTeam>(a, barriers, &shared);
}
#endif
