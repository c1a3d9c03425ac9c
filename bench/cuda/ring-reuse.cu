// Evidence for or against a claim: compute-sanitizer's racecheck does not follow the order between reads of a warp and
// the bulk copy that fills their place again, where one lane arrives for the warp.
//
// One warp copies values by cp.async.bulk into a ring of slots in shared memory, and other warps read them, each warp
// its own slots. All accesses are ordered: the lanes read, `__syncwarp`, and one lane arrives on the slot's mbarrier
// `empty`; the copying warp waits on it before it copies into the slot again. In the variant `lanes` every lane arrives
// by itself, after its own reads; in the variant `readers` two warps read each slot and one lane of each arrives. The
// program checks every value that it reads.
//
//   nvcc -arch=sm_90a -lineinfo -o ring-reuse ring-reuse.cu
//   ./ring-reuse warp
//   compute-sanitizer --tool racecheck ./ring-reuse warp
//   and the same with `lanes` and with `readers`
#include "evidence.cuh"

constexpr int LANES = 32, TAKERS = 4, SLOTS = 2 * TAKERS, VALUES = 4 * LANES, ROUNDS = 64;

enum class Arrival { WARP, LANES, READERS };

__device__ __forceinline__ void wait_for(uint32_t barrier, uint32_t parity) {
  asm volatile(
      "{\n"
      ".reg .pred done;\n"
      "AGAIN:\n"
      "mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n"
      "@!done bra AGAIN;\n"
      "}" ::"r"(barrier),
      "r"(parity)
      : "memory");
}

__device__ __forceinline__ void arrive(uint32_t barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(barrier) : "memory");
}

__device__ __forceinline__ void fill_slot(uint32_t slot, const uint32_t* source, uint32_t barrier) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(VALUES * 4) : "memory");
  asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(slot),
               "l"(source), "r"(VALUES * 4), "r"(barrier)
               : "memory");
}

// source: [ROUNDS * VALUES] u32, each its own index. Slot i % SLOTS takes the i-th VALUES of them.
template <Arrival ARRIVAL>
__global__ void take(const uint32_t* source, uint32_t* wrong) {
  __shared__ alignas(128) uint32_t ring[SLOTS][VALUES];
  __shared__ uint64_t full[SLOTS], empty[SLOTS];
  constexpr int READERS = ARRIVAL == Arrival::READERS ? 2 : 1;
  const int warp = threadIdx.x / LANES, lane = threadIdx.x % LANES;
  if (threadIdx.x < SLOTS) {
    init_barrier(shared_address(full + threadIdx.x), 1);
    init_barrier(shared_address(empty + threadIdx.x), ARRIVAL == Arrival::LANES ? LANES : READERS);
  }
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  __syncthreads();
  if (warp == TAKERS) {
    for (int i = 0; i < ROUNDS; i++) {
      const int slot = i % SLOTS;
      wait_for(shared_address(empty + slot), (i / SLOTS & 1) ^ 1);
      if (lane == 0) fill_slot(shared_address(ring[slot]), source + i * VALUES, shared_address(full + slot));
      __syncwarp();
    }
    return;
  }
  uint32_t wrongCount = 0;
  for (int i = warp / READERS; i < ROUNDS; i += TAKERS / READERS) {
    const int slot = i % SLOTS;
    wait_for(shared_address(full + slot), i / SLOTS & 1);
    for (int k = lane; k < VALUES; k += LANES)
      wrongCount += read_own(shared_address(&ring[slot][k])) != (uint32_t)(i * VALUES + k);
    if (ARRIVAL != Arrival::LANES) __syncwarp();
    if (ARRIVAL == Arrival::LANES || lane == 0) arrive(shared_address(empty + slot));
  }
  if (wrongCount > 0) atomicAdd(wrong, wrongCount);
}

int main(int argc, char** argv) {
  const char* variant = argc == 2 ? argv[1] : "";
  const bool isWarp = strcmp(variant, "warp") == 0, isLanes = strcmp(variant, "lanes") == 0;
  if (!isWarp && !isLanes && strcmp(variant, "readers") != 0) {
    fprintf(stderr, "usage: ring-reuse warp|lanes|readers\n");
    return 2;
  }
  static uint32_t values[ROUNDS * VALUES];
  for (int i = 0; i < ROUNDS * VALUES; i++) values[i] = i;
  uint32_t* source;
  check(cudaMalloc(&source, sizeof values), "cudaMalloc");
  check(cudaMemcpy(source, values, sizeof values, cudaMemcpyHostToDevice), "cudaMemcpy");
  uint32_t* wrong = new_counter();
  const auto kernel = isWarp ? take<Arrival::WARP> : isLanes ? take<Arrival::LANES> : take<Arrival::READERS>;
  kernel<<<1, (TAKERS + 1) * LANES>>>(source, wrong);
  return report(variant, wrong, ROUNDS * VALUES * (isWarp || isLanes ? 1 : 2));
}
