// What the linear kernels of compute capability 9.0 share: their epilogues, and matrices that the bulk copy engine reads in
// boxes of 64 k (swizzled, zeros outside of the tensor).
#pragma once
#include "cuda/prelude.cuh"

enum Epilogue { STORE, STORE_F32, SWIGLU };

// A box at column k, row `row` of the mapped tensor.
__device__ __forceinline__ void box_copy_once(u32 target, const void* map, int k, int row, u32 barrier, u64 policy) {
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint [%0], [%1, {%2, %3}], [%4], %5;" ::"r"(target),
      "l"(map), "r"(k), "r"(row), "r"(barrier), "l"(policy)
      : "memory");
}
