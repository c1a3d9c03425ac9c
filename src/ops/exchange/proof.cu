// Proves that ranks reach each other's memory: every rank stores a mark in a cell of each other rank, and later reads
// the cell back and what the others stored in its own. Drivers have said that memory can be reached where data were
// lost.
#include "exchange/exchange.cuh"

struct ProofArgs {
  const u64* region;  // has a slot of one vector for each rank, in one buffer
  u32* read;          // [2, RANKS]: marks of the others in own cells, own marks in the others' cells
  int mark;
};

extern "C" __global__ void store_marks(const ProofArgs a) {
  const Region region = region_at(a.region);
  const u32 mark = (u32)a.mark + region.rank;
  if (threadIdx.x != 0) return;
  for (int peer = 0; peer < RANKS; peer++)
    store_to_peer(region.bases[peer] + region.rank, Vec16{{mark, mark, mark, mark}});
}

extern "C" __global__ void read_marks(const ProofArgs a) {
  const Region region = region_at(a.region);
  if (threadIdx.x != 0) return;
  for (int peer = 0; peer < RANKS; peer++) {
    a.read[peer] = load_from_peer(own_base(region) + peer).w[3];
    a.read[RANKS + peer] = load_from_peer(region.bases[peer] + region.rank).w[3];
  }
}
