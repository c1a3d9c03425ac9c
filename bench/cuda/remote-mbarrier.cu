// Evidence for or against a claim: compute-sanitizer's racecheck does not follow mbarriers of another block of a
// cluster.
//
// Two blocks of a cluster write into each other's shared memory and read what they got, round after round. All accesses
// are ordered as the PTX memory model asks: the writer stores, `__syncwarp`, and arrives with release semantics at
// cluster scope on the reader's mbarrier; the reader waits on it with acquire semantics at cluster scope. A second
// mbarrier orders a read before the next write. The variant `cluster-barrier` orders the same accesses with
// barrier.cluster instead. The program checks every value that it reads.
//
//   nvcc -arch=sm_90a -lineinfo -o remote-mbarrier remote-mbarrier.cu
//   ./remote-mbarrier mbarrier
//   ./remote-mbarrier cluster-barrier
//   compute-sanitizer --tool racecheck ./remote-mbarrier mbarrier
//   compute-sanitizer --tool racecheck ./remote-mbarrier cluster-barrier
//
// The claim holds when all values are right, the tool reports races between write_other and read_own of the first
// variant, and it reports none of the second. The INT8 linear layers exchange sums in the same way (wide.cu). The part
// `racecheck` of acceptance.mjs runs the last four lines, records what the tool reports, and excuses that exchange only
// where the claim holds.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

constexpr int THREADS = 32, WARPS = 4, ROUNDS = 16;

__device__ __forceinline__ uint32_t shared_address(const void* pointer) {
  return (uint32_t)__cvta_generic_to_shared(pointer);
}

__device__ __forceinline__ uint32_t cluster_rank() {
  uint32_t rank;
  asm volatile("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
  return rank;
}

// An address of this block's shared memory, in the block of that rank.
__device__ __forceinline__ uint32_t address_in(uint32_t address, uint32_t rank) {
  uint32_t mapped;
  asm volatile("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(mapped) : "r"(address), "r"(rank));
  return mapped;
}

__device__ __forceinline__ void cluster_barrier() {
  asm volatile("barrier.cluster.arrive.release.aligned;\nbarrier.cluster.wait.acquire.aligned;" ::: "memory");
}

__device__ __forceinline__ void arrive_remote(uint32_t barrier) {
  asm volatile("mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%0];" ::"r"(barrier) : "memory");
}

__device__ __forceinline__ void wait_own(uint32_t barrier, uint32_t parity) {
  asm volatile(
      "{\n"
      ".reg .pred done;\n"
      "AGAIN:\n"
      "mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 done, [%0], %1;\n"
      "@!done bra AGAIN;\n"
      "}" ::"r"(barrier),
      "r"(parity)
      : "memory");
}

__device__ __forceinline__ void write_other(uint32_t address, uint32_t value) {
  asm volatile("st.shared::cluster.u32 [%0], %1;" ::"r"(address), "r"(value) : "memory");
}

__device__ __forceinline__ uint32_t read_own(uint32_t address) {
  uint32_t value;
  asm volatile("ld.shared.u32 %0, [%1];" : "=r"(value) : "r"(address) : "memory");
  return value;
}

// Another value for each round, block, warp and lane.
__device__ __forceinline__ uint32_t value_of(int round, uint32_t rank, int thread) {
  return (round * 2 + rank) * 1024 + thread;
}

// Each lane exchanges values with the same lane of the other block, each warp by barriers of its own.
// wrong: [1] u32, counts wrong values.
template <bool USES_MBARRIERS>
__global__ void __cluster_dims__(2, 1, 1) exchange(uint32_t* wrong) {
  __shared__ uint32_t got[WARPS * THREADS];
  __shared__ uint64_t written[WARPS], taken[WARPS];
  const int thread = threadIdx.x, warp = thread / THREADS, lane = thread % THREADS;
  const uint32_t rank = cluster_rank(), other = rank ^ 1;
  const uint32_t mine = shared_address(got + thread);
  const uint32_t writtenAt = shared_address(written + warp), takenAt = shared_address(taken + warp);

  if (thread < WARPS) {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], 1;" ::"r"(shared_address(written + thread)) : "memory");
    asm volatile("mbarrier.init.shared::cta.b64 [%0], 1;" ::"r"(shared_address(taken + thread)) : "memory");
  }
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  cluster_barrier();

  uint32_t wrongCount = 0, parity = 0;
  for (int round = 0; round < ROUNDS; round++, parity ^= 1) {
    // The other warp has taken what this one wrote in the round before; in the first round the wait ends at once.
    if (USES_MBARRIERS) wait_own(takenAt, parity ^ 1);
    write_other(address_in(mine, other), value_of(round, rank, thread));
    __syncwarp();
    if (!USES_MBARRIERS) cluster_barrier();
    if (USES_MBARRIERS && lane == 0) arrive_remote(address_in(writtenAt, other));
    if (USES_MBARRIERS) wait_own(writtenAt, parity);
    wrongCount += read_own(mine) != value_of(round, other, thread);
    __syncwarp();
    if (!USES_MBARRIERS) cluster_barrier();
    if (USES_MBARRIERS && lane == 0) arrive_remote(address_in(takenAt, other));
  }
  cluster_barrier();  // no block ends before the other has written into it
  if (wrongCount > 0) atomicAdd(wrong, wrongCount);
}

static void check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  fprintf(stderr, "%s failed: %s\n", what, cudaGetErrorString(status));
  exit(2);
}

int main(int argc, char** argv) {
  const char* variant = argc == 2 ? argv[1] : "";
  const bool usesMbarriers = strcmp(variant, "mbarrier") == 0;
  if (!usesMbarriers && strcmp(variant, "cluster-barrier") != 0) {
    fprintf(stderr, "usage: remote-mbarrier mbarrier|cluster-barrier\n");
    return 2;
  }
  uint32_t* wrong;
  uint32_t wrongCount = 0;
  check(cudaMalloc(&wrong, sizeof *wrong), "cudaMalloc");
  check(cudaMemset(wrong, 0, sizeof *wrong), "cudaMemset");
  if (usesMbarriers)
    exchange<true><<<2, WARPS * THREADS>>>(wrong);
  else
    exchange<false><<<2, WARPS * THREADS>>>(wrong);
  check(cudaGetLastError(), "the launch");
  check(cudaMemcpy(&wrongCount, wrong, sizeof wrongCount, cudaMemcpyDeviceToHost), "the kernel");
  check(cudaFree(wrong), "cudaFree");
  const int values = 2 * WARPS * THREADS * ROUNDS;
  printf("%s: %u of %d values are wrong\n", variant, wrongCount, values);
  return wrongCount == 0 ? 0 : 1;
}
