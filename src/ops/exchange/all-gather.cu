// out = the rows of all ranks side by side, in f32, without the columns that pad the last ranks.
#include "exchange/exchange.cuh"

#define GATHER_THREADS 256

// Places four neighbouring numbers of what rank `rank` has.
struct GatherTarget {
  float* out;  // [rows, outColumns]
  int rows, columns, outColumns;

  __device__ __forceinline__ void place(int rank, int vector, const Vec16& v) const {
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const int at = 4 * vector + i;
      const int row = at / columns, column = rank * columns + at % columns;
      if (row < rows && column < outColumns) out[(size_t)row * outColumns + column] = __uint_as_float(v.w[i]);
    }
  }
};

struct AllGatherArgs {
  const u64* region;
  const float* x;  // [rows, columns], and room up to a multiple of four numbers
  float* out;      // [rows, outColumns]
  int rows;        // a slot has room for all of them
  int columns;
  int outColumns;
};

extern "C" __global__ void __launch_bounds__(GATHER_THREADS) all_gather(const AllGatherArgs a) {
  allow_successor();
  Region region = region_at(a.region);
  wait_predecessor();
  begin_round(region);
  const GatherTarget target = {a.out, a.rows, a.columns, a.outColumns};
  const int vectors = (a.rows * a.columns + 3) / 4;
  const int first = blockIdx.x * GATHER_THREADS + threadIdx.x, stride = gridDim.x * GATHER_THREADS;
  for (int i = first; i < vectors; i += stride) {
    const Vec16 own = cleaned<Words>(load16(a.x + (size_t)i * 4));
    push_to_all<RANKS>(region, region.rank, i, own);
    target.place(region.rank, i, own);
  }
  clear_round_before<Words, RANKS>(region);
  Vec16* base = own_base(region);
  for (int i = first; i < vectors; i += stride) {
#pragma unroll
    for (int peer = 0; peer < RANKS; peer++) {
      if (peer == region.rank) continue;
      const Vec16* from = slot_in<RANKS>(region, base, peer) + i;
      target.place(peer, i, await_vector<Words>(region, from, peer, load_from_peer(from)));
    }
  }
  end_round(region, vectors);
}

struct PlaceGatheredArgs {
  const float* parts;  // [RANKS, rows, columns]
  float* out;          // [rows, outColumns]
  int rows;
  int columns;
  int outColumns;
};

// The same for what a library has gathered.
extern "C" __global__ void __launch_bounds__(GATHER_THREADS) place_gathered(const PlaceGatheredArgs a) {
  allow_successor();
  wait_predecessor();
  const int row = blockIdx.y;
  for (int column = blockIdx.x * GATHER_THREADS + threadIdx.x; column < a.outColumns;
       column += gridDim.x * GATHER_THREADS) {
    const size_t part = (size_t)(column / a.columns) * a.rows + row;
    a.out[(size_t)row * a.outColumns + column] = a.parts[part * a.columns + column % a.columns];
  }
}
