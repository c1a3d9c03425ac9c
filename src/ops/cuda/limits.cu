// The rate at which this GPU reads memory, for reports that say how close a kernel comes to it.
#include "cuda/memory.cuh"

struct ReadLimitArgs {
  const Vec16* data;  // [pieces]
  u32* out;
  int pieces;
};

// Reads every 16-byte piece once. `out` gets a sum that zeros never give: so the reads stay, and nothing is written.
extern "C" __global__ void read_limit(const ReadLimitArgs a) {
  const int stride = gridDim.x * blockDim.x;
  u32 sum = 0;
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  for (; i + 3 * stride < a.pieces; i += 4 * stride) {
    Vec16 v[4];
#pragma unroll
    for (int j = 0; j < 4; j++) v[j] = load_stream(a.data + (size_t)i + (size_t)j * stride);
#pragma unroll
    for (int j = 0; j < 4; j++) sum |= v[j].w[0] | v[j].w[1] | v[j].w[2] | v[j].w[3];
  }
  for (; i < a.pieces; i += stride) {
    const Vec16 v = load_stream(a.data + i);
    sum |= v.w[0] | v.w[1] | v.w[2] | v.w[3];
  }
  if (sum != 0) *a.out = sum;
}
