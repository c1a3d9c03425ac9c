// How fast the warps of ring.cu multiply when they never wait: a stage's weights and tokens stay in shared memory and
// are multiplied again and again. What memory can bring a multiprocessor is printed beside it, so that a line tells
// whether a shape can catch up after a wait, or is as slow as memory even without one. It needs no data.
//
//   nvcc -std=c++17 -arch=sm_90a -O3 -use_fast_math -Isrc/ops -Isrc -cudart static -o ring-rate bench/cuda/ring-rate.cu
//   ./ring-rate
//
// INT4: -DINT4; f16: -DDENSE_WEIGHTS. A line: bytes of weights that a multiprocessor multiplies in a cycle, with up to
// 8 and with 16 tokens, for a block's tiles a warp, warps of rows, warps of k, and boxes a stage.
#include "linear/cuda/ring.cu"
#include "measured-format.cuh"
#include "timed-graph.cuh"

constexpr int TILE_BOXES = Weights<FORMAT>::TILE_BOXES, ROUNDS = 200, MOST_BLOCKS = 256;
__device__ long long cycles[MOST_BLOCKS];

template <typename R, int TILES_PER_WARP, int GROUPS, int K_WARPS>
__global__ void __launch_bounds__(R::CONSUMERS * 32, 1)
    products(const __grid_constant__ RingArgs args, u32 seed, float* out) {
  extern __shared__ __align__(1024) u8 memory[];
  const RingView a = {args, &args.xMap, &args.weightMap, &args};
  const u32 stage = kept(shared_address(memory));
  for (u32 i = threadIdx.x; i < R::stage_bytes(a) / 4; i += blockDim.x) ((u32*)memory)[i] = i * seed & 0x3fff3fffu;
  __syncthreads();
  const int warp = threadIdx.x >> 5, rowWarp = warp / K_WARPS, kWarp = warp % K_WARPS;
  const typename R::Places places(a, rowWarp, kWarp);
  Sums<GROUPS> sums[TILES_PER_WARP];
  for (auto& tile : sums) tile.clear();
  const long long begin = clock64();
#pragma unroll 1
  for (int round = 0; round < ROUNDS; round++) {
#pragma unroll
    for (int across = 0; across < R::STAGE_TILES; across += K_WARPS)
#pragma unroll
      for (int box = 0; box < TILE_BOXES; box++) R::multiply_box(a, sums, stage, places, across, box);
    __syncwarp();
  }
  __syncthreads();
  if (threadIdx.x == 0) cycles[blockIdx.x] = clock64() - begin;
  float sum = 0.f;
  for (const auto& tile : sums)
    for (const auto& group : tile.all)
      for (const float value : group) sum += value;
  if (sum == 1.25f) *out = sum;
}

template <int GROUPS, int TILES_PER_WARP, int ROW_WARPS, int K_WARPS, int BOXES>
static double bytes_of_cycle(int blocks) {
  typedef Ring<FORMAT, GROUPS, TILES_PER_WARP, ROW_WARPS, K_WARPS, BOXES, STORE> R;
  static_assert(R::STAGE_TILES % K_WARPS == 0, "each warp has as many tiles of a stage");
  const auto kernel = products<R, TILES_PER_WARP, GROUPS, K_WARPS>;
  RingArgs a = {};
  a.m = a.xRows = GROUPS * 8, a.k = 64 * BOXES, a.n = R::ROWS, a.xBoxCount = BOXES;
  const int sharedBytes = (R::WEIGHT_BYTES + 1023) / 1024 * 1024 + a.xRows * BOXES * 128;
  CHECK(cudaFuncSetAttribute((const void*)kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, sharedBytes));
  for (int i = 0; i < 2; i++) kernel<<<blocks, R::CONSUMERS * 32, sharedBytes, stream>>>(a, 0x01000193u, nullptr);
  CHECK(cudaStreamSynchronize(stream));
  long long taken[MOST_BLOCKS];
  CHECK(cudaMemcpyFromSymbol(taken, cycles, sizeof taken));
  return (double)R::WEIGHT_BYTES * ROUNDS / taken[0];
}

template <int TILES_PER_WARP, int ROW_WARPS, int K_WARPS, int BOXES>
static void measure(int blocks) {
  constexpr int STAGE_BOXES = BOXES * TILE_BOXES;
  const double few = bytes_of_cycle<1, TILES_PER_WARP, ROW_WARPS, K_WARPS, STAGE_BOXES>(blocks),
               many = bytes_of_cycle<2, TILES_PER_WARP, ROW_WARPS, K_WARPS, STAGE_BOXES>(blocks);
  printf("%d %d %2d %2d: %5.1f %5.1f\n", TILES_PER_WARP, ROW_WARPS, K_WARPS, STAGE_BOXES, few, many);
}

int main() {
  CHECK(cudaStreamCreate(&stream));
  cudaDeviceProp properties;
  CHECK(cudaGetDeviceProperties(&properties, 0));
  int khz, memoryKhz, bits;
  CHECK(cudaDeviceGetAttribute(&khz, cudaDevAttrClockRate, 0));
  CHECK(cudaDeviceGetAttribute(&memoryKhz, cudaDevAttrMemoryClockRate, 0));
  CHECK(cudaDeviceGetAttribute(&bits, cudaDevAttrGlobalMemoryBusWidth, 0));
  const int blocks = properties.multiProcessorCount < MOST_BLOCKS ? properties.multiProcessorCount : MOST_BLOCKS;
  printf("%s: memory brings a multiprocessor %.1f bytes in a cycle of %.2f GHz at most\n", properties.name,
         2. * memoryKhz * bits / 8 / khz / blocks, khz / 1e6);
  measure<1, 1, 8, 8>(blocks);
  measure<1, 1, 16, 16>(blocks);
  measure<1, 2, 4, 4>(blocks);
  measure<1, 2, 8, 8>(blocks);
  measure<2, 1, 8, 8>(blocks);
  measure<3, 2, 4, 4>(blocks);
  return 0;
}
