// Copies into shared memory that run beside a thread's other work, from compute capability 8.0 on. A thread waits for
// its own copies, group by group in the order in which it closed them; other threads see them after a synchronisation.
#pragma once
#include "cuda/types.cuh"

// Copies 16 bytes; zeros where nothing is wanted from `source`, which is not read then.
__device__ __forceinline__ void copy_async16(u32 target, const void* source, bool isWanted) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(target), "l"(source), "r"(isWanted ? 16 : 0)
               : "memory");
}
// Copies 4 bytes.
__device__ __forceinline__ void copy_async4(u32 target, const void* source, bool isWanted) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(target), "l"(source), "r"(isWanted ? 4 : 0)
               : "memory");
}
// Closes a group: the copies since the last one.
__device__ __forceinline__ void close_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }
// Waits until at most PENDING groups are on their way.
template <int PENDING>
__device__ __forceinline__ void wait_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(PENDING) : "memory");
}
