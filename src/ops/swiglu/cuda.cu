// out = silu(gate) * up, 8 elements a thread. gateUp [rows, 2 * inter], out [rows, inter].
#include "cuda/act.cuh"
#include "cuda/launch.cuh"
#include "cuda/memory.cuh"
#include "cuda/swiglu.cuh"

extern "C" __global__ void swiglu(const u16* gateUp, u16* out, int inter) {
  allow_successor();
  wait_predecessor();
  const int i = (blockIdx.x * blockDim.x + threadIdx.x) * 8;
  if (i >= inter) return;
  const u16* row = gateUp + (size_t)blockIdx.y * 2 * inter;
  float gate[8], up[8];
  unpack8(load16(row + i), gate);
  unpack8(load16(row + inter + i), up);
#pragma unroll
  for (int j = 0; j < 8; j++) gate[j] = swiglu(gate[j], up[j]);
  store16(out + (size_t)blockIdx.y * inter + i, pack8(gate));
}
