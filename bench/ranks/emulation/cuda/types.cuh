// The names of CUDA that the kernels of exchanges use, for a C++ compiler: each thread of a grid is a thread here.
#pragma once
#include <algorithm>
#include <atomic>
#include <barrier>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <thread>

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

using std::min;

struct alignas(16) Vec16 {
  u32 w[4];
};
inline Vec16 zero16() { return Vec16{{0, 0, 0, 0}}; }

#define __device__
#define __global__
#define __forceinline__ inline
#define __noinline__ inline
#define __launch_bounds__(threads)
#define __shared__ static

struct Dimensions {
  unsigned x, y;
};
inline thread_local Dimensions threadIdx, blockIdx, gridDim, blockDim;
inline thread_local int emulatedRank;
inline thread_local std::barrier<>* blockBarrier;

inline void __syncthreads() { blockBarrier->arrive_and_wait(); }
inline void __threadfence() { std::atomic_thread_fence(std::memory_order_seq_cst); }
template <typename T> T __ldg(const T* from) { return *from; }
inline u32 atomicAdd(u32* to, u32 value) { return std::atomic_ref<u32>(*to).fetch_add(value); }
inline float __uint_as_float(u32 bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
inline float rsqrtf(float value) { return 1.f / std::sqrt(value); }
