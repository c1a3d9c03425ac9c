// Programmatic dependent launch: a kernel may start before its predecessor ends.
//
// Every kernel of a chain lets its successor start, does what depends on nobody (weights), then waits for its
// predecessor. Because every block waits, the end of the predecessor implies the end of all earlier kernels.
#pragma once

__device__ __forceinline__ void allow_successor() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

__device__ __forceinline__ void wait_predecessor() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}
