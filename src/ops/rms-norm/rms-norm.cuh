// out = x / rms(x) * weight, and the same after residual += delta. One block a row, which it keeps in registers.
// HIDDEN is the row's length, a multiple of 8. What stores the results is a type, the template's argument.
#pragma once
#include "cuda/act.cuh"
#include "cuda/launch.cuh"
#include "cuda/memory.cuh"
#include "cuda/warp.cuh"

#define NORM_THREADS 256
#define NORM_VECTORS ((HIDDEN / 8 + NORM_THREADS - 1) / NORM_THREADS)

struct RmsNormArgs {
  u16* x;             // [rows, HIDDEN]; the residual, which add_rms_norm changes
  const u16* delta;   // [rows, HIDDEN], add_rms_norm only
  const u16* weight;  // [HIDDEN]
  u16* out;           // [rows, HIDDEN]
  float epsilon;
};

// Results as activations: `out` of the arguments.
struct NormActivations {
  template <typename Args>
  static __device__ __forceinline__ void store(const Args& args, const Vec16 (&results)[NORM_VECTORS]) {
#pragma unroll
    for (int v = 0; v < NORM_VECTORS; v++) {
      const int i = (v * NORM_THREADS + threadIdx.x) * 8;
      if (i < HIDDEN) store16(args.out + (size_t)blockIdx.x * HIDDEN + i, results[v]);
    }
  }
};

template <bool ADD, typename Results, typename Args>
__device__ __forceinline__ void rms_norm_row(const Args& args) {
  __shared__ float scratch[NORM_THREADS / 32];
  allow_successor();
  Vec16 w[NORM_VECTORS];
#pragma unroll
  for (int v = 0; v < NORM_VECTORS; v++) {
    const int i = (v * NORM_THREADS + threadIdx.x) * 8;
    w[v] = i < HIDDEN ? load16(args.weight + i) : zero16();
  }
  wait_predecessor();
  const size_t row = (size_t)blockIdx.x * HIDDEN;
  Vec16 a[NORM_VECTORS], b[NORM_VECTORS];
#pragma unroll
  for (int v = 0; v < NORM_VECTORS; v++) {
    const int i = (v * NORM_THREADS + threadIdx.x) * 8;
    a[v] = i < HIDDEN ? load16(args.x + row + i) : zero16();
    if (ADD) b[v] = i < HIDDEN ? load16(args.delta + row + i) : zero16();
  }
  float values[NORM_VECTORS][8], squares = 0.f;
#pragma unroll
  for (int v = 0; v < NORM_VECTORS; v++) {
    const int i = (v * NORM_THREADS + threadIdx.x) * 8;
    unpack8(a[v], values[v]);
    if (ADD) {
      float d[8];
      unpack8(b[v], d);
#pragma unroll
      for (int j = 0; j < 8; j++) values[v][j] = round_act(values[v][j] + d[j]);
      if (i < HIDDEN) store16(args.x + row + i, pack8(values[v]));
    }
#pragma unroll
    for (int j = 0; j < 8; j++) squares += values[v][j] * values[v][j];
  }
  const float inverse = rsqrtf(block_sum(squares, scratch) / HIDDEN + args.epsilon);
  Vec16 results[NORM_VECTORS];
#pragma unroll
  for (int v = 0; v < NORM_VECTORS; v++) {
    float f[8];
    unpack8(w[v], f);
#pragma unroll
    for (int j = 0; j < 8; j++) f[j] *= values[v][j] * inverse;
    results[v] = pack8(f);
  }
  Results::store(args, results);
}
