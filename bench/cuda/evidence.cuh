// Parts of the small programs that show what compute-sanitizer's racecheck does not follow.
#pragma once
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

__device__ __forceinline__ uint32_t shared_address(const void* pointer) {
  return (uint32_t)__cvta_generic_to_shared(pointer);
}

__device__ __forceinline__ void init_barrier(uint32_t barrier, uint32_t count) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier), "r"(count) : "memory");
}

__device__ __forceinline__ uint32_t read_own(uint32_t address) {
  uint32_t value;
  asm volatile("ld.shared.u32 %0, [%1];" : "=r"(value) : "r"(address) : "memory");
  return value;
}

inline void check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  fprintf(stderr, "%s failed: %s\n", what, cudaGetErrorString(status));
  exit(2);
}

// A counter of wrong values on the device: [1] u32, zero.
inline uint32_t* new_counter() {
  uint32_t* counter;
  check(cudaMalloc(&counter, sizeof *counter), "cudaMalloc");
  check(cudaMemset(counter, 0, sizeof *counter), "cudaMemset");
  return counter;
}

// Waits for the kernel and prints how many of its values are wrong. Returns the exit status of the program.
inline int report(const char* variant, uint32_t* counter, int values) {
  uint32_t wrong = 0;
  check(cudaGetLastError(), "the launch");
  check(cudaMemcpy(&wrong, counter, sizeof wrong, cudaMemcpyDeviceToHost), "the kernel");
  check(cudaFree(counter), "cudaFree");
  printf("%s: %u of %d values are wrong\n", variant, wrong, values);
  return wrong == 0 ? 0 : 1;
}
