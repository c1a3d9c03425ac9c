// Inputs in the order of codes: out[t][i] = x[t][order[i]], one block a row. Weights in act order are multiplied by
// them.
#include "cuda/launch.cuh"
#include "cuda/memory.cuh"

struct OrderInputArgs {
  const u16* x;      // [m, k], k a multiple of 8
  const int* order;  // [k]
  u16* out;          // [m, k]
  int k;
};

extern "C" __global__ void order_input(const OrderInputArgs a) {
  allow_successor();
  wait_predecessor();
  const u16* from = a.x + (size_t)blockIdx.x * a.k;
  u16* to = a.out + (size_t)blockIdx.x * a.k;
  for (int i = threadIdx.x * 8; i < a.k; i += blockDim.x * 8) {
    Vec16 v;
#pragma unroll
    for (int j = 0; j < 4; j++)
      v.w[j] = from[__ldg(a.order + i + 2 * j)] | (u32)from[__ldg(a.order + i + 2 * j + 1)] << 16;
    store16(to + i, v);
  }
}
