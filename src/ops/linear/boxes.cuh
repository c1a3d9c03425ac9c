// What the linear kernels of compute capability 9.0 share: their epilogues, and matrices that the bulk copy engine reads in
// boxes of 64 k (swizzled, zeros outside of the tensor).
#pragma once
#include "prelude.cuh"

enum Epilogue { STORE, STORE_F32, SWIGLU };

// A box at column k, row `row` of the mapped tensor.
__device__ __forceinline__ void box_copy_once(u32 target, const void* map, int k, int row, u32 barrier, u64 policy) {
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint [%0], [%1, {%2, %3}], [%4], %5;" ::"r"(target),
      "l"(map), "r"(k), "r"(row), "r"(barrier), "l"(policy)
      : "memory");
}
// Four 8x8 matrices of 16-bit values whose rows' addresses lanes 0-7, 8-15, 16-23 and 24-31 give: word i of lane 4 g + t is
// columns 2t and 2t + 1 of row g of matrix i.
__device__ __forceinline__ Vec16 load_matrices(u32 address) {
  Vec16 v;
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];" : "=r"(v.w[0]), "=r"(v.w[1]), "=r"(v.w[2]), "=r"(v.w[3]) : "r"(address));
  return v;
}
