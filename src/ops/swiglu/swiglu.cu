// out = silu(gate) * up, 8 elements a thread.
#include "cuda/act.cuh"
#include "cuda/launch.cuh"
#include "cuda/memory.cuh"
#include "cuda/swiglu.cuh"

struct SwigluArgs {
  const u16* gateUp;  // [rows, 2 * inter]
  u16* out;           // [rows, inter]
  int inter;
};

extern "C" __global__ void swiglu(const SwigluArgs a) {
  allow_successor();
  wait_predecessor();
  const int i = (blockIdx.x * blockDim.x + threadIdx.x) * 8;
  if (i >= a.inter) return;
  const u16* row = a.gateUp + (size_t)blockIdx.y * 2 * a.inter;
  float gate[8], up[8];
  unpack8(load16(row + i), gate);
  unpack8(load16(row + a.inter + i), up);
#pragma unroll
  for (int j = 0; j < 8; j++) gate[j] = swiglu(gate[j], up[j]);
  store16(a.out + (size_t)blockIdx.y * a.inter + i, pack8(gate));
}
