// residual += delta, and the bias of a linear layer; 8 elements a thread.
#include "cuda/act.cuh"
#include "cuda/launch.cuh"
#include "cuda/memory.cuh"

extern "C" __global__ void add(u16* residual, const u16* delta, int vectors) {
  allow_successor();
  wait_predecessor();
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= vectors) return;
  float a[8], b[8];
  unpack8(load16(residual + (size_t)i * 8), a);
  unpack8(load16(delta + (size_t)i * 8), b);
#pragma unroll
  for (int j = 0; j < 8; j++) a[j] += b[j];
  store16(residual + (size_t)i * 8, pack8(a));
}

// out[row] += bias, out [rows, columns]; blockIdx.y is the row.
extern "C" __global__ void add_bias(u16* out, const u16* bias, int columns) {
  allow_successor();
  wait_predecessor();
  const int i = (blockIdx.x * blockDim.x + threadIdx.x) * 8;
  if (i >= columns) return;
  float a[8], b[8];
  unpack8(load16(out + (size_t)blockIdx.y * columns + i), a);
  unpack8(load16(bias + i), b);
#pragma unroll
  for (int j = 0; j < 8; j++) a[j] += b[j];
  store16(out + (size_t)blockIdx.y * columns + i, pack8(a));
}
