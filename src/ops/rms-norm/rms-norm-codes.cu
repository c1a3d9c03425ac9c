// RMSNorm whose results a linear layer takes in 8 bits: the bits that round-input.cuh would make of them.
#include "cuda/row-codes.cuh"
#include "rms-norm/rms-norm.cuh"

static_assert(HIDDEN % 128 == 0, "rows are whole boxes of 128 bytes: see roundsFor in lower.ts");

struct RmsNormCodesArgs {
  u16* x;             // [rows, HIDDEN]; the residual, which the addition changes
  const u16* delta;   // [rows, HIDDEN], with an addition only
  const u16* weight;  // [HIDDEN]
  u8* out;            // [rows, HIDDEN]
  float* scale;       // [rows]
  float epsilon;
};

template <typename CODES> struct NormCodes {
  static __device__ __forceinline__ void store(const RmsNormCodesArgs& args, const Vec16 (&results)[NORM_VECTORS]) {
    __shared__ u32 scratch[NORM_THREADS / 32];
    u32 most = 0;
#pragma unroll
    for (int v = 0; v < NORM_VECTORS; v++)
#pragma unroll
      for (int j = 0; j < 4; j++) most = __vmaxu2(most, results[v].w[j] & 0x7fff7fffu);
    const float inverse = row_codes_inverse<CODES>(most, scratch, args.scale + blockIdx.x);
    // Two lanes have 16 columns, which they store as two pairs of words: each sends the half that the other stores.
    const bool isSecond = threadIdx.x & 1;
#pragma unroll
    for (int v = 0; v < NORM_VECTORS; v++) {
      const int i = (v * NORM_THREADS + threadIdx.x) * 8;
      float f[8];
      unpack8(results[v], f);
      u32 pairs[4];
#pragma unroll
      for (int t = 0; t < 4; t++)
        pairs[t] = CODES::pair(__fmul_rn(f[2 * t], inverse), __fmul_rn(f[2 * t + 1], inverse));
      const u32 sent = isSecond ? pairs[0] | pairs[1] << 16 : pairs[2] | pairs[3] << 16;
      const u32 got = __shfl_xor_sync(0xffffffffu, sent, 1);
      const u32 first = isSecond ? (got & 0xffffu) | pairs[2] << 16 : pairs[0] | got << 16;
      const u32 second = isSecond ? got >> 16 | pairs[3] << 16 : pairs[1] | (got & 0xffff0000u);
      if (i < HIDDEN) store8(args.out + (size_t)blockIdx.x * HIDDEN + i, first, second);
    }
  }
};

#define RMS_NORM_CODES_KERNELS(name, CODES)                                                                     \
  extern "C" __global__ void __launch_bounds__(NORM_THREADS) rms_norm_##name(const RmsNormCodesArgs args) {     \
    rms_norm_row<false, NormCodes<CODES>>(args);                                                                \
  }                                                                                                             \
  extern "C" __global__ void __launch_bounds__(NORM_THREADS) add_rms_norm_##name(const RmsNormCodesArgs args) { \
    rms_norm_row<true, NormCodes<CODES>>(args);                                                                 \
  }
