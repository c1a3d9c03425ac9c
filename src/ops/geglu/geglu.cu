// out = gelu(gate) * up, 8 elements a thread.
#include "cuda/act.cuh"
#include "cuda/launch.cuh"
#include "cuda/memory.cuh"

struct GegluArgs {
  const u16* gateUp;  // [rows, 2 * inter]
  u16* out;           // [rows, inter]
  int inter;
};

// (1 + tanh(u)) / 2 is 1 / (1 + exp(-2 u)).
__device__ __forceinline__ float geglu(float gate, float up) {
  const float exponent = gate * (-1.5957691216f - 0.0713548163f * gate * gate);
  return gate / (1.f + __expf(exponent)) * up;
}

extern "C" __global__ void geglu(const GegluArgs a) {
  allow_successor();
  wait_predecessor();
  const int i = (blockIdx.x * blockDim.x + threadIdx.x) * 8;
  if (i >= a.inter) return;
  const u16* row = a.gateUp + (size_t)blockIdx.y * 2 * a.inter;
  float gate[8], up[8];
  unpack8(load16(row + i), gate);
  unpack8(load16(row + a.inter + i), up);
#pragma unroll
  for (int j = 0; j < 8; j++) gate[j] = geglu(gate[j], up[j]);
  store16(a.out + (size_t)blockIdx.y * a.inter + i, pack8(gate));
}
