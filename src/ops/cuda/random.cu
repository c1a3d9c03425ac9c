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
  u64 words;        // two activations or four int8 weights each
  float amplitude;  // of activations
  int seed;
};

// Activations, uniform in [-amplitude, amplitude].
extern "C" __global__ void fill_act(const FillArgs a) {
  for (u64 i = blockIdx.x * (u64)blockDim.x + threadIdx.x; i < a.words; i += (u64)gridDim.x * blockDim.x) {
    const u32 bits = mix((u32)i * 2654435761u + a.seed + (u32)(i >> 32));
    a.out[i] =
        pack_act(((bits & 0xffff) / 32767.5f - 1.f) * a.amplitude, ((bits >> 16) / 32767.5f - 1.f) * a.amplitude);
  }
}

// Stored int8 weights: value + 128, values in [-127, 127].
extern "C" __global__ void fill_int8(const FillArgs a) {
  for (u64 i = blockIdx.x * (u64)blockDim.x + threadIdx.x; i < a.words; i += (u64)gridDim.x * blockDim.x) {
    const u32 bits = mix((u32)i * 2654435761u + a.seed + (u32)(i >> 32));
    a.out[i] = bits | ((bits & 0x7f7f7f7fu) == 0 ? 0x01010101u : 0u);
  }
}
