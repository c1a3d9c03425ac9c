// RMSNorm of each query and key head, in place: a warp a head, 8 elements a lane.
#include "cuda/act.cuh"
#include "cuda/launch.cuh"
#include "cuda/memory.cuh"
#include "cuda/warp.cuh"

struct HeadNormArgs {
  u16* qkv;                // [tokens, (heads + 2 kvHeads) * HEAD_DIM]
  const u16* queryWeight;  // [HEAD_DIM]
  const u16* keyWeight;    // [HEAD_DIM]
  int heads, kvHeads;
  float epsilon;
};

// blockIdx.y is the token, x covers the heads.
extern "C" __global__ void head_norm(const HeadNormArgs a) {
  allow_successor();
  const int head = (blockIdx.x * blockDim.x + threadIdx.x) / 32, lane = threadIdx.x & 31;
  const bool active = head < a.heads + a.kvHeads && lane < HEAD_DIM / 8;
  float w[8], x[8];
  unpack8(active ? load16((head < a.heads ? a.queryWeight : a.keyWeight) + lane * 8) : zero16(), w);
  wait_predecessor();
  u16* at = a.qkv + ((size_t)blockIdx.y * (a.heads + 2 * a.kvHeads) + head) * HEAD_DIM + lane * 8;
  unpack8(active ? load16(at) : zero16(), x);
  float squares = 0.f;
#pragma unroll
  for (int j = 0; j < 8; j++) squares += x[j] * x[j];
  const float inverse = rsqrtf(warp_sum(squares) / HEAD_DIM + a.epsilon);
#pragma unroll
  for (int j = 0; j < 8; j++) x[j] *= inverse * w[j];
  if (active) store16(at, pack8(x));
}
