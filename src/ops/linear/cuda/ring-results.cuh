// The end of a ring's tile: threads add up the parts of k, and store.
#pragma once
#include "cuda/types.cuh"
#include "linear/cuda/epilogue.cuh"
#include "linear/cuda/ring-norms.cuh"

// A thread's share of a tile's COUNT results, of which THREADS have one each and then the next one.
template <typename Ring, Epilogue EPILOGUE, int COUNT, int THREADS>
struct RingResults {
  typedef typename Ring::W W;
  static constexpr int TURNS = (COUNT + THREADS - 1) / THREADS, SUMS = EPILOGUE == SWIGLU ? 2 : 1,
                       TILE_RESULTS = Ring::TOKENS * 16;
  // Scales and residual come from memory, which may take longer than a stage. They are requested before the tile's
  // products, unless there are so many that they would fill the registers.
  static constexpr bool IS_EARLY = TURNS <= 4;

  // Result `index` of a tile of the block.
  struct Place {
    int tile, within, token, row;
    bool isLive;

    __device__ __forceinline__ Place(const typename Ring::View& a, int blockTile, int index) {
      tile = index / TILE_RESULTS, within = index % TILE_RESULTS, token = within >> 4;
      row = Ring::tile_row(a, blockTile, tile) + (within & 15);
      isLive = index < COUNT && token < a.m && row < Ring::out_rows(a);
    }
  };
  struct Beside {
    Channel channels[SUMS];
    Meeting met;
  };
  Beside early[IS_EARLY ? TURNS : 1];

  static __device__ __forceinline__ Beside load(const typename Ring::View& a, int blockTile, int index) {
    const Place place(a, blockTile, index);
    Beside beside = {};
    if (!place.isLive) return beside;
#pragma unroll
    for (int j = 0; j < SUMS; j++) {
      const int channel = Ring::tile_row(a, blockTile, place.tile + j * Ring::HALF) + (place.within & 15);
      beside.channels[j] = load_channel<W::IS_SCALED>(channel, a.scale, a.bias);
    }
    if (EPILOGUE == ADD) beside.met = load_meeting(*a.norms, a.n, place.token, place.row);
    return beside;
  }

  __device__ __forceinline__ void request(const typename Ring::View& a, int blockTile) {
    if constexpr (IS_EARLY)
#pragma unroll
      for (int turn = 0; turn < TURNS; turn++) early[turn] = load(a, blockTile, threadIdx.x + turn * THREADS);
  }

  // `partial` has the sums of parts of k, [part][tile][Ring::sum_place].
  __device__ __forceinline__ void finish(const typename Ring::View& a, int blockTile, const float* partial,
                                         const typename Ring::Room& room) const {
    if constexpr (IS_EARLY) {
#pragma unroll
      for (int turn = 0; turn < TURNS; turn++)
        finish_one(a, blockTile, threadIdx.x + turn * THREADS, partial, room, early[turn]);
    } else {
      for (int index = threadIdx.x; index < COUNT; index += THREADS)
        finish_one(a, blockTile, index, partial, room, load(a, blockTile, index));
    }
  }

private:
  static __device__ __forceinline__ void finish_one(const typename Ring::View& a, int blockTile, int index,
                                                    const float* partial, const typename Ring::Room& room,
                                                    const Beside& beside) {
    const Place place(a, blockTile, index);
    if (index >= COUNT || (EPILOGUE != ADD && !place.isLive)) return;
    const int within = Ring::sum_place(place.token, place.within & 15);
    float sums[2];
#pragma unroll
    for (int j = 0; j < SUMS; j++) {
      float sum = 0.f;
#pragma unroll
      for (int part = 0; part < Ring::PARTS; part++)
        sum += partial[(part * Ring::TILES + place.tile + j * Ring::HALF) * TILE_RESULTS + within];
      if (a.norms->squares != nullptr) sum *= room.inverse[place.token];
      sums[j] = finish_sum<W::IS_SCALED>(sum, beside.channels[j], a.bias);
    }
    if constexpr (EPILOGUE == ADD)
      add_to_residual(*a.norms, (u16*)a.out, a.n, place.token, place.row, place.isLive, beside.met, sums[0],
                      room.range);
    else
      store_sums<EPILOGUE>(a.out, (size_t)place.token * a.outStride + place.row, sums);
  }
};
