// Teams of warps of a block that share a unit of decode attention (decode-int8.cu): which slots a warp takes, and the
// sum of their sums. With INT8_TEAMS, where one query head has a key head and its sums find room beside the slots.
#pragma once
#include "paged-attention/decode-int8.cuh"
#include "paged-attention/decode-unit.cuh"

// The place of a warp that works by itself.
struct AloneInTeam {
  static constexpr bool IS_TEAM = false;
  static constexpr int warps = 1, member = 0;
  int team;

  __device__ __forceinline__ AloneInTeam(const DecodeArgs& a, int warp) : team(warp) {}
  __device__ __forceinline__ int slot(int i) const { return i; }
  __device__ __forceinline__ bool has(int slot) const { return true; }
};

// A warp's place among the teams of its block.
struct PlaceInTeam {
  static constexpr bool IS_TEAM = true;
  int warps, team, member;

  __device__ __forceinline__ PlaceInTeam(const DecodeArgs& a, int warp)
      : warps(a.teamWarps), team(warp / warps), member(warp % warps) {}
  // The slot of a unit that is this warp's i-th.
  __device__ __forceinline__ int slot(int i) const { return member + i * warps; }
  __device__ __forceinline__ bool has(int slot) const { return slot % warps == member; }
};

// Sums of the warps of a block for one unit, and for the next one while these are still read.
struct TeamSums {
  float values[2][INT8_WARPS][HEAD_DIM], stats[2][INT8_WARPS][2];
};

// Adds up the sums of a team in its first warp, which alone gets true. All of the team's warps call it.
__device__ __forceinline__ bool share_sums(TeamSums& shared, const PlaceInTeam& place, Int8Sums& sums, int turn) {
  const int warp = threadIdx.x >> 5, row = Int8Sums::row();
  const bool isHolder = Int8Sums::column() == 0;
  if (place.member > 0 && isHolder) {
#pragma unroll
    for (int i = 0; i < OWN_DIMS; i++) shared.values[turn][warp][OWN_DIMS * row + i] = sums.acc[0][i];
    if (row == 0) shared.stats[turn][warp][0] = sums.best[0], shared.stats[turn][warp][1] = sums.total[0];
  }
  asm volatile("bar.sync %0, %1;" ::"r"(1 + place.team), "r"(place.warps * 32) : "memory");
  if (place.member > 0) return false;
  for (int other = warp + 1; other < warp + place.warps; other++) {
    const float best = shared.stats[turn][other][0], top = fmaxf(sums.best[0], best);
    const float mine = exp2f(sums.best[0] - top), theirs = exp2f(best - top);
    sums.best[0] = top;
    sums.total[0] = sums.total[0] * mine + shared.stats[turn][other][1] * theirs;
#pragma unroll
    for (int i = 0; i < OWN_DIMS; i++)
      sums.acc[0][i] = sums.acc[0][i] * mine + shared.values[turn][other][OWN_DIMS * row + i] * theirs;
  }
  return true;
}
