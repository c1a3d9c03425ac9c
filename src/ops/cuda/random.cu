// Fills memory with pseudo-random values, for benchmarks with weights that no checkpoint provides.
#include "cuda/act.cuh"

__device__ __forceinline__ u32 mix(u32 x) {
  x ^= x >> 16;
  x *= 0x7feb352du;
  x ^= x >> 15;
  x *= 0x846ca68bu;
  return x ^ (x >> 16);
}

// Uniform in [-amplitude, amplitude].
extern "C" __global__ void fill_act(u32* out, u64 pairs, float amplitude, u32 seed) {
  for (u64 i = blockIdx.x * (u64)blockDim.x + threadIdx.x; i < pairs; i += (u64)gridDim.x * blockDim.x) {
    const u32 bits = mix((u32)i * 2654435761u + seed + (u32)(i >> 32));
    out[i] = pack_act(((bits & 0xffff) / 32767.5f - 1.f) * amplitude, ((bits >> 16) / 32767.5f - 1.f) * amplitude);
  }
}

// Stored int8 weights: value + 128, values in [-127, 127].
extern "C" __global__ void fill_int8(u32* out, u64 words, u32 seed) {
  for (u64 i = blockIdx.x * (u64)blockDim.x + threadIdx.x; i < words; i += (u64)gridDim.x * blockDim.x) {
    const u32 bits = mix((u32)i * 2654435761u + seed + (u32)(i >> 32));
    out[i] = bits | ((bits & 0x7f7f7f7fu) == 0 ? 0x01010101u : 0u);
  }
}
