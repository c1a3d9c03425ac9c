// out[i] = x[rows[i]], one block a row.
#include "cuda/launch.cuh"
#include "cuda/memory.cuh"

struct GatherArgs {
  const u16* x;     // [tokens, columns]
  const int* rows;  // [count]
  u16* out;         // [count, columns]
  int columns;
};

extern "C" __global__ void gather(const GatherArgs a) {
  allow_successor();
  wait_predecessor();
  const u16* from = a.x + (size_t)a.rows[blockIdx.x] * a.columns;
  u16* to = a.out + (size_t)blockIdx.x * a.columns;
  for (int i = threadIdx.x * 8; i < a.columns; i += blockDim.x * 8) store16(to + i, load16(from + i));
}
