// Fills memory with pseudo-random values, for benchmarks with weights that no checkpoint provides.
#include "cuda/act.cuh"

__device__ __forceinline__ u32 mix(u32 x) {
  x ^= x >> 16;
  x *= 0x7feb352du;
  x ^= x >> 15;
  x *= 0x846ca68bu;
  return x ^ (x >> 16);
}

struct FillArgs {
  u32* out;         // [words]
  u64 words;        // two activations, or four int8 or fp8 weights each
  float amplitude;  // of activations
  int seed;
  int tileWords, scales;  // words of an int4 tile, and a pair of f16 scales
};

__device__ __forceinline__ u32 random_bits(const FillArgs& a, u64 i) {
  return mix((u32)i * 2654435761u + a.seed + (u32)(i >> 32));
}

// Activations, uniform in [-amplitude, amplitude].
extern "C" __global__ void fill_act(const FillArgs a) {
  for (u64 i = blockIdx.x * (u64)blockDim.x + threadIdx.x; i < a.words; i += (u64)gridDim.x * blockDim.x) {
    const u32 bits = random_bits(a, i);
    a.out[i] =
        pack_act(((bits & 0xffff) / 32767.5f - 1.f) * a.amplitude, ((bits >> 16) / 32767.5f - 1.f) * a.amplitude);
  }
}

// Stored int8 weights: value + 128, values in [-127, 127].
extern "C" __global__ void fill_int8(const FillArgs a) {
  for (u64 i = blockIdx.x * (u64)blockDim.x + threadIdx.x; i < a.words; i += (u64)gridDim.x * blockDim.x) {
    const u32 bits = random_bits(a, i);
    a.out[i] = bits | ((bits & 0x7f7f7f7fu) == 0 ? 0x01010101u : 0u);
  }
}

// E4M3 below 2, so that no code is NaN.
extern "C" __global__ void fill_fp8(const FillArgs a) {
  for (u64 i = blockIdx.x * (u64)blockDim.x + threadIdx.x; i < a.words; i += (u64)gridDim.x * blockDim.x)
    a.out[i] = random_bits(a, i) & 0xbfbfbfbfu;
}

// Tiles of int4 weights in groups without zeros: 256 words of nibbles, then scales.
extern "C" __global__ void fill_int4(const FillArgs a) {
  for (u64 i = blockIdx.x * (u64)blockDim.x + threadIdx.x; i < a.words; i += (u64)gridDim.x * blockDim.x)
    a.out[i] = i % a.tileWords < 256 ? random_bits(a, i) : a.scales;
}
