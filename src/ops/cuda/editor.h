// The CUDA names that kernels use, declared for editors. clangd includes this file before every kernel file (see
// .clangd), so that an editor parses kernels on a machine without CUDA headers. NVRTC and nvcc know these names
// themselves and never read it.
#pragma once

#define __device__ __attribute__((device))
#define __global__ __attribute__((global))
#define __shared__ __attribute__((shared))
#define __grid_constant__ __attribute__((grid_constant))
#define __launch_bounds__(...) __attribute__((launch_bounds(__VA_ARGS__)))
#define __cluster_dims__(...)
#define __align__(bytes) __attribute__((aligned(bytes)))
#define __noinline__ __attribute__((noinline))
#define __forceinline__ inline __attribute__((always_inline))

typedef __SIZE_TYPE__ size_t;
struct uint3 {
  unsigned x, y, z;
};
struct dim3 {
  unsigned x, y, z;
};
extern const __device__ uint3 threadIdx, blockIdx;
extern const __device__ dim3 blockDim, gridDim;

__device__ void __syncthreads();
__device__ void __syncwarp(unsigned mask = 0xffffffffu);
__device__ void __threadfence();
__device__ void __nanosleep(unsigned ns);
__device__ unsigned __ballot_sync(unsigned mask, int predicate);
template <typename T> __device__ T __shfl_sync(unsigned mask, T value, int lane, int width = 32);
template <typename T> __device__ T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32);
template <typename T> __device__ T __shfl_xor_sync(unsigned mask, T value, int laneMask, int width = 32);

template <typename T> __device__ T __ldg(const T* from);
template <typename T> __device__ T __ldcg(const T* from);
__device__ int __dp4a(int a, int b, int c);
__device__ unsigned __vmaxu2(unsigned a, unsigned b);
template <typename T> __device__ T atomicAdd(T* to, T value);
__device__ unsigned atomicOr(unsigned* to, unsigned value);
__device__ size_t __cvta_generic_to_shared(const void* from);

__device__ int min(int a, int b);
__device__ unsigned min(unsigned a, unsigned b);
__device__ int max(int a, int b);
__device__ int __popc(unsigned value);
__device__ unsigned long long __umul64hi(unsigned long long a, unsigned long long b);
__device__ int __float_as_int(float value);
__device__ unsigned __float_as_uint(float value);
__device__ float __int_as_float(int bits);
__device__ float __uint_as_float(unsigned bits);
__device__ int __float2int_rn(float value);
__device__ unsigned __float2uint_rn(float value);

__device__ float fabsf(float value);
__device__ float fmaxf(float a, float b);
__device__ float expf(float value);
__device__ float __expf(float value);
__device__ float exp2f(float value);
__device__ float logf(float value);
__device__ float rsqrtf(float value);
__device__ float __fadd_rn(float a, float b);
__device__ float __fsub_rn(float a, float b);
__device__ float __fmul_rn(float a, float b);
__device__ float __fdiv_rn(float a, float b);
