// Bulk copies into shared memory and the barriers that they complete, from compute capability 9.0 on.
// A barrier completes a phase when its arrivals and the announced bytes have come.
#pragma once
#include "cuda/types.cuh"

__device__ __forceinline__ void barrier_init(u32 barrier, u32 count) {
  asm volatile("mbarrier.init.shared.b64 [%0], %1;" ::"r"(barrier), "r"(count) : "memory");
}
__device__ __forceinline__ void barrier_expect(u32 barrier, u32 bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared.b64 _, [%0], %1;" ::"r"(barrier), "r"(bytes) : "memory");
}
__device__ __forceinline__ void barrier_arrive(u32 barrier) {
  asm volatile("mbarrier.arrive.shared.b64 _, [%0];" ::"r"(barrier) : "memory");
}
// `space` says whose writes are seen after the wait, and where the barrier lies.
#define BARRIER_WAIT(space)                                    \
  "{\n.reg .pred done;\nWAIT:\nmbarrier.try_wait.parity" space \
  ".b64 done, [%0], %1;\n@done bra DONE;\nbra WAIT;\nDONE:\n}"
__device__ __forceinline__ void barrier_wait(u32 barrier, u32 parity) {
  asm volatile(BARRIER_WAIT(".shared")::"r"(barrier), "r"(parity) : "memory");
}
// Synchronises the first THREADS threads of a block.
template <int THREADS>
__device__ __forceinline__ void sync_threads() {
  asm volatile("bar.sync 1, %0;" ::"n"(THREADS) : "memory");
}
// Stands between the initialisation of barriers and the block's synchronisation.
__device__ __forceinline__ void barriers_fence() { asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory"); }
// Stands between ordinary stores into shared memory and the copies or products after the next barrier.
__device__ __forceinline__ void shared_stores_fence() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }
__device__ __forceinline__ u64 evict_first_policy() {
  u64 policy;
  asm("createpolicy.fractional.L2::evict_first.b64 %0, 1.0;" : "=l"(policy));
  return policy;
}
__device__ __forceinline__ void bulk_copy(u32 target, const void* source, u32 bytes, u32 barrier) {
  asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(target),
               "l"(source), "r"(bytes), "r"(barrier)
               : "memory");
}
// Copies data that will not be read again soon.
__device__ __forceinline__ void bulk_copy_once(u32 target, const void* source, u32 bytes, u32 barrier, u64 policy) {
  asm volatile(
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint [%0], [%1], %2, [%3], %4;" ::
          "r"(target),
      "l"(source), "r"(bytes), "r"(barrier), "l"(policy)
      : "memory");
}
// A CUtensorMap. Copies read it where the kernel's parameters lie (see tensor-map.ts), so the struct that has it is
// __grid_constant__. The compiler loads fields of such a struct again after every asm statement that clobbers memory;
// kernels therefore use a view of it: a copy of its other fields, which registers hold, and pointers to its maps.
struct alignas(64) TensorMap {
  u64 opaque[16];
};
// Fetches the map itself, not what it maps.
__device__ __forceinline__ void prefetch_map(const TensorMap* map) {
  asm volatile("prefetch.tensormap [%0];" ::"l"(map) : "memory");
}
// Copies the box at a column and a row of the mapped matrix.
__device__ __forceinline__ void box_copy(u32 target, const void* map, int column, int row, u32 barrier) {
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3}], [%4];" ::"r"(
          target),
      "l"(map), "r"(column), "r"(row), "r"(barrier)
      : "memory");
}
// Copies boxes beside each other, from the `box`-th of a row on, of a map of several (MappedMatrix.boxCount).
__device__ __forceinline__ void boxes_copy(u32 target, const void* map, int box, int row, u32 barrier) {
  asm volatile(
      "cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3, %4}], [%5];" ::
          "r"(target),
      "l"(map), "r"(0), "r"(row), "r"(box), "r"(barrier)
      : "memory");
}
// Copies a box that will not be read again soon.
__device__ __forceinline__ void box_copy_once(u32 target, const void* map, int column, int row, u32 barrier,
                                              u64 policy) {
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint "
      "[%0], [%1, {%2, %3}], [%4], %5;" ::"r"(target),
      "l"(map), "r"(column), "r"(row), "r"(barrier), "l"(policy)
      : "memory");
}
// Copies a box of a map of tiles, from tile `across` of row / 16 `tile` on.
__device__ __forceinline__ void tiles_copy_once(u32 target, const void* map, int across, int tile, u32 barrier,
                                                u64 policy) {
  asm volatile(
      "cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint "
      "[%0], [%1, {%2, %3, %4}], [%5], %6;" ::"r"(target),
      "l"(map), "r"(0), "r"(across), "r"(tile), "r"(barrier), "l"(policy)
      : "memory");
}
