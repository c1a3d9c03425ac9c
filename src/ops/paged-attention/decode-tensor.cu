// Attention of one new token a sequence over a paged cache of activations whose key heads serve several query heads
// each, on compute capability 9.0 and 10.x, with rotary embedding and the cache append fused in. A warp copies tokens
// into slots of its own and multiplies on tensor cores (decode-tensor.cuh). Its copies run ahead over the list of
// units: a slot is filled again as soon as it has been read. The first ones start before the wait for the predecessor:
// earlier steps wrote the older tokens. The newest comes from qkv.
//
// With many rows every warp takes units by itself, as in decode-int8.cu. A few rows have fewer units than the device
// has warps: there the warps of a block share a unit, and their sums meet in shared memory, as in decode-ring.cu.
#include "cuda/launch.cuh"
#include "cuda/memory.cuh"
#include "paged-attention/decode-input.cuh"
#include "paged-attention/decode-merge.cuh"
#include "paged-attention/decode-tensor-copies.cuh"
#include "paged-attention/decode-tensor.cuh"
#include "paged-attention/decode-unit.cuh"
#include "paged-attention/kv-cache.cuh"

// A unit whose part of a row's sums is stored. It is counted a unit later, when the stores are done, and the count is
// looked at one unit after that, as in decode-int8.cu.
struct StoredSums {
  int index;      // of the unit; negative: none
  u32* arrivals;  // counter of its row and head
  int splits;
};

// A warp and its units, each of which SHARERS warps share.
template <int SLOT_COUNT, int TOKENS, int SHARERS>
struct TensorDecoder {
  typedef TensorSlot<TOKENS> Slot;
  const DecodeArgs& a;
  u32 slots;      // address
  int lane, sub;  // as in decode-lanes.cuh
  TensorCopies<TOKENS, SHARERS> copies;
  int slot;
  StoredSums stored, counted;
  u32 before;  // count before `counted`, in the first lane
  TensorSums<TOKENS> sums;

  __device__ __forceinline__ Slot slot_at(int i) const { return Slot{slots + i * Slot::BYTES}; }

  // Puts the new token into its slot.
  __device__ __forceinline__ void put_newest(int token, const KvVector& key, const KvVector& value) {
    if (sub == 0 && lane < USED_LANES) {
      store_shared16(slot_at(slot).key(token, lane), key);
      store_shared16(slot_at(slot).value(token, lane), value);
    }
    __syncwarp();
  }

  // Takes this warp's slots of a unit.
  __device__ __forceinline__ void take_unit(const Unit& u) {
    const int begin = copies.begin();
    sums.clear();
    if (u.first + begin >= u.end()) return;
    KvVector newKey, newValue;
    const bool isMine = (u.newest() - u.first) / TOKENS % SHARERS * TOKENS == begin;
    const bool hasNewest = u.newest() < u.end() && isMine;
    if (hasNewest) {
      UnitInput in{};
      in.rotation = load_rotation(a.cosTable, a.sinTable, u.newest(), lane);
      request_newest(a, u, lane, in);
      append_newest(a, u, in, lane, sub, newKey, newValue);
    }
    sums.take_queries(a, u);
    for (int token0 = u.first + begin; token0 < u.end(); token0 += SHARERS * TOKENS) {
      wait_copies<SLOT_COUNT - 1>();
      __syncwarp();
      const int within = u.newest() - token0;
      if (hasNewest && within >= 0 && within < TOKENS) put_newest(within, newKey, newValue);
      const int count = min(u.end(), u.length) - token0;
      sums.take_slot(slot_at(slot), [&](int token) { return token < count && in_window(token0 + token, u.visible); });
      __syncwarp();
      copies.request(slot_at(slot));
      if (++slot == SLOT_COUNT) slot = 0;
    }
  }

  // Counts the part that was stored before. Returns the unit of the one that was counted before, if it was the last of
  // its row, else -1.
  __device__ __forceinline__ int advance_parts() {
    const bool isFirstLane = (threadIdx.x & 31) == 0;
    const bool isLast = counted.index >= 0 && __shfl_sync(0xffffffffu, before, 0) == (u32)counted.splits - 1;
    const int complete = isLast ? counted.index : -1;
    if (isLast && isFirstLane) *counted.arrivals = 0;
    __syncwarp();
    if (stored.index >= 0 && isFirstLane) before = count_arrival(stored.arrivals);
    counted = stored;
    stored.index = -1;
    return complete;
  }

  __device__ __forceinline__ void merge_row(int index) {
    if (index < 0) return;
    __threadfence();
    const Unit u = unit_at(a, index);
    sums.merge(a, u);
    sums.store_result(a, u);
  }

  // The sums are stored before a row's are merged, whose place they then give.
  __device__ __forceinline__ void finish_unit(const Unit& u, int index) {
    sums.finish();
    const int complete = advance_parts();
    if (u.splits() == 1) {
      sums.store_result(a, u);
    } else {
      sums.store_partial(a, u);
      stored = {index, arrivals_of(a, u), u.splits()};
    }
    merge_row(complete);
  }

  __device__ __forceinline__ void start() {
    copies.open();
#pragma unroll
    for (int i = 0; i < SLOT_COUNT; i++) copies.request(slot_at(i));
    wait_predecessor();
  }

  // Takes every `step`-th unit from `index` on by itself.
  __device__ __forceinline__ void run(int index, int step, int unitCount) {
    stored.index = counted.index = -1;
    start();
    for (; index < unitCount; index += step) {
      const Unit u = unit_at(a, index);
      take_unit(u);
      finish_unit(u, index);
    }
#pragma unroll 1
    for (int parts = 0; parts < 2; parts++) merge_row(advance_parts());
  }

  // The same for all warps of the block together.
  __device__ __forceinline__ void run_shared(int index, int step, int unitCount, WarpSums<SHARERS>& shared) {
    start();
    for (; index < unitCount; index += step) {
      const Unit u = unit_at(a, index);
      take_unit(u);
      sums.finish();
      __syncthreads();  // the previous unit's sums have been read
      sums.put(shared, threadIdx.x >> 5);
      __syncthreads();
      ::finish_unit(a, u, shared, [] { __syncthreads(); });
    }
  }
};

// A block of WARPS warps, of which SHARERS share a unit: one or all. The slots of each lie in shared memory, then
// WarpSums of those that share.
template <int WARPS, int SLOT_COUNT, int TOKENS, int SHARERS>
__device__ __forceinline__ void decode_tensor(const DecodeArgs& a, u8* memory) {
  static_assert(SHARERS == 1 || SHARERS == WARPS);
  constexpr int WARP_BYTES = SLOT_COUNT * TensorSlot<TOKENS>::BYTES;
  const int warp = threadIdx.x >> 5, lane = threadIdx.x & (LANES - 1), sub = (threadIdx.x & 31) / LANES;
  allow_successor();
  // The step's description was there before the step. Few units are spread over all blocks before a block has two.
  const int unitCount = *a.itemCount * a.kvHeads, step = (int)gridDim.x * (WARPS / SHARERS);
  const int index = (SHARERS == 1 ? warp * (int)gridDim.x : 0) + (int)blockIdx.x;
  TensorCopies<TOKENS, SHARERS> copies{a, index, step, unitCount};
  TensorDecoder<SLOT_COUNT, TOKENS, SHARERS> decoder{a, shared_address(memory) + warp * WARP_BYTES, lane, sub, copies};
  if constexpr (SHARERS == 1)
    decoder.run(index, step, unitCount);
  else
    decoder.run_shared(index, step, unitCount, *(WarpSums<SHARERS>*)(memory + WARPS * WARP_BYTES));
}

extern "C" __global__ void __launch_bounds__(TENSOR_WARPS * 32, 1) attention_decode_tensor(const DecodeArgs a) {
  extern __shared__ __align__(128) u8 memory[];
  decode_tensor<TENSOR_WARPS, TENSOR_SLOTS, TENSOR_TOKENS, 1>(a, memory);
}

extern "C" __global__ void __launch_bounds__(TENSOR_WARPS * 32, 1) attention_decode_tensor_shared(const DecodeArgs a) {
  extern __shared__ __align__(128) u8 memory[];
  decode_tensor<TENSOR_WARPS, TENSOR_SHARED_SLOTS, TENSOR_TOKENS, TENSOR_WARPS>(a, memory);
}
