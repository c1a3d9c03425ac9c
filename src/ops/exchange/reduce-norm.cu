// residual += the sum over ranks of x, then out = residual / rms(residual) * weight. One block a row. The numbers are
// those of all_reduce_one_shot and add_rms_norm one after the other, bit by bit. HIDDEN is the row's length, a
// multiple of 8. Regions are those of all_reduce_one_shot.
#include "cuda/warp.cuh"
#include "exchange/exchange.cuh"

#define REDUCE_NORM_THREADS 256
#define ROW_VECTORS (HIDDEN / 8)
#define THREAD_VECTORS ((ROW_VECTORS + REDUCE_NORM_THREADS - 1) / REDUCE_NORM_THREADS)

struct ReduceNormArgs {
  const u64* region;
  const u16* x;       // [rows, HIDDEN]
  u16* residual;      // [rows, HIDDEN]
  const u16* weight;  // [HIDDEN]
  u16* out;           // [rows, HIDDEN]
  float epsilon;
};

extern "C" __global__ void __launch_bounds__(REDUCE_NORM_THREADS) reduce_add_rms_norm(const ReduceNormArgs a) {
  __shared__ float scratch[REDUCE_NORM_THREADS / 32];
  allow_successor();
  Region region = region_at(a.region);
  Vec16 w[THREAD_VECTORS];
#pragma unroll
  for (int v = 0; v < THREAD_VECTORS; v++) {
    const int i = v * REDUCE_NORM_THREADS + threadIdx.x;
    w[v] = i < ROW_VECTORS ? load16(a.weight + i * 8) : zero16();
  }
  wait_predecessor();
  begin_round(region);
  const size_t row = (size_t)blockIdx.x * ROW_VECTORS;
  Vec16 own[THREAD_VECTORS], old[THREAD_VECTORS];
#pragma unroll
  for (int v = 0; v < THREAD_VECTORS; v++) {
    const int i = v * REDUCE_NORM_THREADS + threadIdx.x;
    if (i >= ROW_VECTORS) continue;
    own[v] = cleaned<Halves>(load16(a.x + (row + i) * 8));
    push_to_all<RANKS>(region, region.rank, row + i, own[v]);
  }
#pragma unroll
  for (int v = 0; v < THREAD_VECTORS; v++) {
    const int i = v * REDUCE_NORM_THREADS + threadIdx.x;
    old[v] = i < ROW_VECTORS ? load16(a.residual + (row + i) * 8) : zero16();
  }
  clear_round_before<Halves, RANKS>(region);
  float values[THREAD_VECTORS][8], squares = 0.f;
#pragma unroll
  for (int v = 0; v < THREAD_VECTORS; v++) {
    const int i = v * REDUCE_NORM_THREADS + threadIdx.x;
    unpack8(old[v], values[v]);
    if (i >= ROW_VECTORS) continue;
    float sums[8];
    unpack8(sum_over_ranks<RANKS>(region, row + i, own[v]), sums);
#pragma unroll
    for (int j = 0; j < 8; j++) {
      values[v][j] = round_act(values[v][j] + sums[j]);
      squares += values[v][j] * values[v][j];
    }
    store16(a.residual + (row + i) * 8, pack8(values[v]));
  }
  const float inverse = rsqrtf(block_sum(squares, scratch) / HIDDEN + a.epsilon);
#pragma unroll
  for (int v = 0; v < THREAD_VECTORS; v++) {
    const int i = v * REDUCE_NORM_THREADS + threadIdx.x;
    float f[8];
    unpack8(w[v], f);
#pragma unroll
    for (int j = 0; j < 8; j++) f[j] *= values[v][j] * inverse;
    if (i < ROW_VECTORS) store16(a.out + (row + i) * 8, pack8(f));
  }
  end_round(region, gridDim.x * ROW_VECTORS);
}
