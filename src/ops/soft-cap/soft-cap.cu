// x = cap * tanh(x / cap), in place.
#include "cuda/launch.cuh"
#include "cuda/soft-cap.cuh"
#include "cuda/types.cuh"

struct SoftCapArgs {
  float* x;  // [rows, columns]
  int columns;
  float cap;
};

// blockIdx.y is the row.
extern "C" __global__ void soft_cap(const SoftCapArgs a) {
  allow_successor();
  wait_predecessor();
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= a.columns) return;
  float* at = a.x + (size_t)blockIdx.y * a.columns + i;
  *at = soft_capped(*at, a.cap);
}
