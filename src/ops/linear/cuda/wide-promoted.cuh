// Sums of wide.cuh whose products the tensor cores add with few bits: E4M3 into about 14 of f32, where what is smaller
// is cut off. With 11,008 products of one sign that takes a fifth of the sum. So the products of a stage, 128 or 256 k,
// are a sum of their own, which is added to the others in f32.
//
// Sums of a stage beside all others take registers, so there are parts: those of some groups of tokens. Two parts take
// turns: while the products of one run, the sums of the one before are added.
#pragma once
#include "cuda/async.cuh"
#include "cuda/wgmma.cuh"
#include "linear/cuda/wide-args.cuh"

// WIDE is the Wide of the kernel, which says what its other arguments are.
template <typename WIDE, int TILES_PER_WARP, int SUMS>
__device__ __forceinline__ void multiply_promoted(float (&totals)[TILES_PER_WARP][SUMS], const WideView& a, int stages,
                                                  u32 ring, u32 full, u32 empty, int& slot, u32& parity) {
  typedef typename WIDE::P P;
  constexpr int PARTS = SUMS > 96   ? SUMS / 32
                        : SUMS > 48 ? 2
                                    : 1,
                PART_SUMS = SUMS / PARTS, PART_BYTES = PART_SUMS * 256;
  constexpr int TURNS = TILES_PER_WARP * PARTS, BUFFERS = TURNS > 1 ? 2 : 1;
  static_assert(SUMS % PARTS == 0, "parts are equal");
  const int warp = threadIdx.x >> 5, lane = threadIdx.x & 31;
  float sums[BUFFERS][PART_SUMS] = {};
#pragma unroll
  for (int r = 0; r < TILES_PER_WARP; r++)
#pragma unroll
    for (int i = 0; i < SUMS; i++) totals[r][i] = 0.f;
  // Adds the sums of a turn, whose products have ended.
  const auto add = [&](int turn) {
    hold(sums[turn % BUFFERS]);
#pragma unroll
    for (int i = 0; i < PART_SUMS; i++) totals[turn / PARTS][turn % PARTS * PART_SUMS + i] += sums[turn % BUFFERS][i];
  };
  for (int stage = 0; stage < stages; stage++) {
    const u32 at = ring + slot * WIDE::STAGE_BYTES;
    barrier_wait(full + 8 * slot, parity);
#pragma unroll
    for (int r = 0; r < TILES_PER_WARP; r++) {
      u32 fragments[WIDE::STAGE_BOXES][P::COUNT][4];
#pragma unroll
      for (int box = 0; box < WIDE::STAGE_BOXES; box++)
        WIDE::load_fragments(fragments[box], at, warp * TILES_PER_WARP + r, box);
#pragma unroll
      for (int part = 0; part < PARTS; part++) {
        const int turn = r * PARTS + part;
        wgmma_begin();
#pragma unroll
        for (int box = 0; box < WIDE::STAGE_BOXES; box++)
#pragma unroll
          for (int i = 0; i < P::COUNT; i++)
            P::add(sums[turn % BUFFERS], fragments[box][i], WIDE::tokens_of(at, box) + part * (PART_BYTES / 16) + i * 2,
                   box + i > 0);
        wgmma_commit();
        if (turn == 0) continue;
        wgmma_wait<1>();
        add(turn - 1);
      }
    }
    wgmma_wait<0>();
    if (lane == 0) barrier_arrive(empty + 8 * slot);
    add(TURNS - 1);
    if (++slot == a.stageCount) slot = 0, parity ^= 1;
  }
}
