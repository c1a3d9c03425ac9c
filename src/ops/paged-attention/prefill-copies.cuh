// The half of prefill-wgmma.cuh that copies keys and values of 16 bits into the rings: one warp, each lane a box.
#pragma once
#include "cuda/async.cuh"
#include "paged-attention/prefill-work.cuh"

// Where keys and values lie, and how many rows a box of them has, is the template's argument.
template <typename Boxes> struct PrefillCopier : PrefillFiller {
  // Warps of the filling warpgroup that take part, arrivals that fill a slot of keys or values, and registers of a
  // thread that fills or multiplies.
  static constexpr int WARPS = 1, ARRIVALS = 1, FILLING_REGISTERS = 24, MULTIPLYING_REGISTERS = 240;
  static constexpr int UNCLEAN_ROWS = Boxes::UNCLEAN_ROWS;
  static constexpr int BOXES = HALVES * TILE / Boxes::ROWS;

  static __device__ __forceinline__ void prefetch_maps(const WgmmaPrefillView& a) {
    prefetch_map(a.qkvMap);
    prefetch_map(a.cacheMap);
  }

  __device__ __forceinline__ PrefillWork take_work() {
    const int index = (threadIdx.x & 31) == 0 ? draw() : 0;
    return work_at(__shfl_sync(0xffffffffu, index, 0));
  }

  // First vector of this lane's box of a tile of keys.
  __device__ __forceinline__ int box_vector(const PrefillWork& w, int tile) const {
    return Boxes::key_vector(*this, w, tile * TILE + (threadIdx.x & 31) / HALVES * Boxes::ROWS);
  }

  __device__ __forceinline__ void fill(RingPlace& at, u32 ring, u64* full, u64* empty, int vector) {
    const int lane = threadIdx.x & 31, half = lane % HALVES, box = lane / HALVES;
    const u32 filled = shared_address(full + at.slot);
    barrier_wait(shared_address(empty + at.slot), at.parity);
    if (lane == 0) barrier_expect(filled, TILE_BYTES);
    __syncwarp();
    if (lane < BOXES)
      box_copy(ring + at.slot * TILE_BYTES + half * TILE_HALF_BYTES + box * Boxes::ROWS * 128, a.cacheMap, half * 64,
               vector, filled);
    at.advance();
  }
  __device__ __forceinline__ void fill_keys(int vector) {
    fill(keyAt, tiles.keys, shared.keysFull, shared.keysEmpty, vector);
  }
  __device__ __forceinline__ void fill_values(int keyVector) {
    fill(valueAt, tiles.values, shared.valuesFull, shared.valuesEmpty, keyVector + Boxes::values_after(a));
  }
  // Keys come a tile earlier than values, as the warpgroups want them.
  __device__ __forceinline__ void run() {
    PrefillWork w = work_at(blockIdx.x);
    while (w.queries > 0) {
      int vector = box_vector(w, 0);
      fill_keys(vector);
      fill_queries(w);
      for (int tile = 1; tile <= w.last_tile(); tile++) {
        const int next = box_vector(w, tile);
        fill_keys(next);
        fill_values(vector);
        vector = next;
      }
      w = take_work();
      fill_values(vector);
    }
    fill_queries(w);
  }
};
