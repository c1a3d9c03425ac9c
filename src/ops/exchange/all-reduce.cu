// x = the sum over ranks of x, in 16 bits. One shot: every rank sends all it has to all others, and every rank sums.
// Two shots: every rank sums a part and sends the sums. Both sum in the same order and leave the same bits.
#include "exchange/exchange.cuh"

#define ONE_SHOT_THREADS 256
#define TWO_SHOT_THREADS 512

struct AllReduceArgs {
  const u64* region;
  u16* x;       // [vectors, 8]
  int vectors;  // a slot has room for all of them
};

// A thread has one vector.
extern "C" __global__ void __launch_bounds__(ONE_SHOT_THREADS) all_reduce_one_shot(const AllReduceArgs a) {
  allow_successor();
  Region region = region_at(a.region);
  wait_predecessor();
  begin_round(region);
  const int i = blockIdx.x * ONE_SHOT_THREADS + threadIdx.x;
  const bool isInside = i < a.vectors;
  Vec16 own = zero16();
  if (isInside) {
    own = cleaned<Halves>(load16(a.x + (size_t)i * 8));
    push_to_all<RANKS>(region, region.rank, i, own);
  }
  clear_round_before<Halves, RANKS>(region);
  if (isInside) store16(a.x + (size_t)i * 8, sum_over_ranks<RANKS>(region, i, own));
  end_round(region, a.vectors);
}

struct TwoShotArgs {
  const u64* region;
  u16* x;  // [vectors, 8]
  int vectors;
  int chunk;  // vectors that a rank sums: the part of rank r begins at r * chunk; a slot has room for it
};

// Slot r of a rank takes what rank r has of its part, slot RANKS + r the sums of rank r's part. A thread works on the
// same vectors of all parts, so that it has sent a vector before it overwrites it.
extern "C" __global__ void __launch_bounds__(TWO_SHOT_THREADS) all_reduce_two_shot(const TwoShotArgs a) {
  constexpr int SLOTS = 2 * RANKS;
  allow_successor();
  Region region = region_at(a.region);
  wait_predecessor();
  begin_round(region);
  const int first = blockIdx.x * TWO_SHOT_THREADS + threadIdx.x;
  const int stride = gridDim.x * TWO_SHOT_THREADS;
  for (int i = first; i < a.chunk; i += stride) {
#pragma unroll
    for (int peer = 0; peer < RANKS; peer++) {
      const int at = peer * a.chunk + i;
      if (peer == region.rank || at >= a.vectors) continue;
      const Vec16 part = cleaned<Halves>(load16(a.x + (size_t)at * 8));
      store_to_peer(slot_in<SLOTS>(region, region.bases[peer], region.rank) + i, part);
    }
  }
  clear_round_before<Halves, SLOTS>(region);
  for (int i = first; i < a.chunk; i += stride) {
    const int at = region.rank * a.chunk + i;
    if (at >= a.vectors) break;
    const Vec16 own = cleaned<Halves>(load16(a.x + (size_t)at * 8));
    const Vec16 sum = sum_over_ranks<SLOTS>(region, i, own);
    store16(a.x + (size_t)at * 8, sum);
    push_to_all<SLOTS>(region, RANKS + region.rank, i, sum);
  }
  Vec16* base = own_base(region);
  for (int i = first; i < a.chunk; i += stride) {
#pragma unroll
    for (int peer = 0; peer < RANKS; peer++) {
      const int at = peer * a.chunk + i;
      if (peer == region.rank || at >= a.vectors) continue;
      const Vec16* from = slot_in<SLOTS>(region, base, RANKS + peer) + i;
      store16(a.x + (size_t)at * 8, await_vector<Halves>(region, from, peer, load_from_peer(from)));
    }
  }
  end_round(region, a.chunk);
}
