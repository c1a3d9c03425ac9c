// residual += delta, 8 elements a thread.
#include "prelude.cuh"

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
