// The half of prefill-wgmma.cuh that fills the rings from a cache of 8 bits: a warpgroup loads keys and values, makes
// activations of them and stores these as a tensor map would. Each warp has 32 tokens of a tile.
#pragma once
#include "cuda/async.cuh"
#include "paged-attention/kv-activations.cuh"
#include "paged-attention/prefill-work.cuh"

#define LOAD_LANES (HEAD_DIM / 16)  // that load a vector, 16 elements each
#define LOADS LOAD_LANES            // of a lane, for the 32 tokens of its warp

// A warp's part of a tile, in 8 bits: 32 tokens.
struct LoadedTile {
  Vec16 parts[LOADS];
  float scale;  // of this lane's token
};

struct PrefillConverter : PrefillFiller {
  // As in prefill-copies.cuh.
  static constexpr int WARPS = 4, ARRIVALS = WARPS * 32, FILLING_REGISTERS = 120, MULTIPLYING_REGISTERS = 192;
  static constexpr int UNCLEAN_ROWS = 1;  // whatever is converted is a number

  static __device__ __forceinline__ void prefetch_maps(const WgmmaPrefillView& a) { prefetch_map(a.qkvMap); }
  static __device__ __forceinline__ int lane() { return threadIdx.x & 31; }
  static __device__ __forceinline__ int warp() { return (threadIdx.x >> 5) % WARPS; }
  // Token of the warp that this lane loads a part of, in its i-th load.
  static __device__ __forceinline__ int token(int i) { return i * (32 / LOAD_LANES) + lane() / LOAD_LANES; }

  static __device__ __forceinline__ void sync() { asm volatile("bar.sync 5, %0;" ::"n"(ARRIVALS) : "memory"); }

  __device__ __forceinline__ PrefillWork take_work() {
    if (warp() == 0 && lane() == 0) shared.ticket = draw();
    sync();
    const int index = shared.ticket;
    sync();
    return work_at(index);
  }

  // Cache block of this lane's token of a tile; -1 after the keys.
  __device__ __forceinline__ int block_of(const PrefillWork& w, int tile) const {
    const int position = tile * TILE + warp() * 32 + lane();
    return position < w.keys() ? table[position / BLOCK_TOKENS] : -1;
  }

  // Requests the keys or the values of a tile, of which `block` is this lane's token's.
  __device__ __forceinline__ LoadedTile load(const PrefillWork& w, int tile, int isValue, int block) const {
    const int first = tile * TILE + warp() * 32, kvHead = w.head / GROUP;
    LoadedTile loaded;
    loaded.scale = 0.f;
    if (block >= 0)
      loaded.scale = *(const float*)(a.cache + kv_scale_offset(a.blockStride, block, isValue, kvHead,
                                                               (first + lane()) % BLOCK_TOKENS));
#pragma unroll
    for (int i = 0; i < LOADS; i++) {
      const int from = __shfl_sync(0xffffffffu, block, token(i));
      loaded.parts[i] = zero16();
      if (from >= 0)
        loaded.parts[i] =
            load16(a.cache + kv_offset(a.blockStride, from, isValue, kvHead, (first + token(i)) % BLOCK_TOKENS) +
                   lane() % LOAD_LANES * 16);
    }
    return loaded;
  }

  // Fills a slot.
  __device__ __forceinline__ void fill(RingPlace& at, u32 ring, u64* full, u64* empty, const LoadedTile& loaded) {
    barrier_wait(shared_address(empty + at.slot), at.parity);
#pragma unroll
    for (int i = 0; i < LOADS; i++)
      store_vector(ring + at.slot * TILE_BYTES, warp() * 32 + token(i), loaded.parts[i],
                   __shfl_sync(0xffffffffu, loaded.scale, token(i)));
    shared_stores_fence();
    barrier_arrive(shared_address(full + at.slot));
    at.advance();
  }

  // Stores this lane's 16 elements of a token as activations: two pieces of 16 bytes. The lanes of the second half
  // begin with the second piece, so that those that store together meet different banks.
  static __device__ __forceinline__ void store_vector(u32 tile, int token, const Vec16& elements, float scale) {
    const int part = lane() % LOAD_LANES, half = part / 4;
    const u32 row = tile + half * TILE_HALF_BYTES + token * 128;
    Vec16 pieces[2];
    const ScaleFactors factors = factors_of(scale);
#pragma unroll
    for (int i = 0; i < 2; i++) pieces[i] = scaled_activations(elements.w[2 * i], elements.w[2 * i + 1], factors);
#pragma unroll
    for (int i = 0; i < 2; i++) {
      const int piece = i ^ half;
      store_shared16(row + ((part % 4 * 2 + piece) ^ (token & 7)) * 16, choose(piece == 0, pieces[0], pieces[1]));
    }
  }

  // While keys are converted, their values are on the way, and during those the next keys.
  __device__ __forceinline__ void run() {
    PrefillWork w = work_at(blockIdx.x);
    int block = block_of(w, 0);
    LoadedTile keys = load(w, 0, 0, block);
    while (w.queries > 0) {
      const int last = w.last_tile();
      for (int tile = 0; tile <= last; tile++) {
        const LoadedTile values = load(w, tile, 1, block);
        fill(keyAt, tiles.keys, shared.keysFull, shared.keysEmpty, keys);
        if (tile == 0 && warp() == 0) fill_queries(w);
        if (tile == last) w = take_work();
        const int next = tile == last ? 0 : tile + 1;
        block = block_of(w, next);
        keys = load(w, next, 0, block);
        fill(valueAt, tiles.values, shared.valuesFull, shared.valuesEmpty, values);
      }
    }
    if (warp() == 0) fill_queries(w);
  }
};
