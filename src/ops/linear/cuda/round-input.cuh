// Rows of activations in 8 bits for wide8.cu and widef8.cu, with a scale for each row. A block a row.
//
// The bytes of 16 columns lie as row-codes.cuh says. Rows are padded with zeros to whole boxes of 128 bytes.
#pragma once
#include "cuda/launch.cuh"
#include "cuda/row-codes.cuh"

struct RoundInputArgs {
  const u16* x;  // [m, k], k a multiple of 8
  u8* out;       // [m, k rounded up to 128]
  float* scale;  // [m]
  int k;
};

// Takes 4 bytes of shared memory for each warp.
template <typename CODES> __device__ __forceinline__ void round_row(const RoundInputArgs& a) {
  extern __shared__ __align__(1024) u8 memory[];
  allow_successor();
  wait_predecessor();
  const u16* x = a.x + (size_t)blockIdx.x * a.k;
  u32 most = 0;
  for (int i = threadIdx.x * 8; i < a.k; i += blockDim.x * 8) {
    const Vec16 v = load16(x + i);
#pragma unroll
    for (int j = 0; j < 4; j++) most = __vmaxu2(most, v.w[j] & 0x7fff7fffu);
  }
  const float inverse = row_codes_inverse<CODES>(most, (u32*)memory, a.scale + blockIdx.x);
  const int padded = (a.k + 127) & ~127;
  u8* out = a.out + (size_t)blockIdx.x * padded;
  for (int i = threadIdx.x * 16; i < padded; i += blockDim.x * 16) {
    float low[8], high[8];
    unpack8(i < a.k ? load16(x + i) : zero16(), low);
    unpack8(i + 8 < a.k ? load16(x + i + 8) : zero16(), high);
    Vec16 bytes;
#pragma unroll
    for (int t = 0; t < 4; t++)
      bytes.w[t] = CODES::pair(__fmul_rn(low[2 * t], inverse), __fmul_rn(low[2 * t + 1], inverse)) |
                   CODES::pair(__fmul_rn(high[2 * t], inverse), __fmul_rn(high[2 * t + 1], inverse)) << 16;
    store16(out + i, bytes);
  }
}

#define ROUND_INPUT_KERNEL(name, CODES) \
  extern "C" __global__ void __launch_bounds__(256) name(const RoundInputArgs args) { round_row<CODES>(args); }
