// Sums over two ranks after one of them came late. Each of two GPUs runs as many sums as a step of 32 layers has, with
// other work between them, and before the first of all rank 1 falls some microseconds behind. Prints microseconds of a
// sum, less the work between. Exit status 1 where sums after a late start take more than twice as long as others.
//
//   nvcc -std=c++17 -arch=sm_90a -O3 -use_fast_math -DRANKS=2 -DHIDDEN=4096 -Isrc/ops -Ibench/cuda -cudart static \
//     -o late-rank bench/cuda/late-rank.cu
//   ./late-rank
#include "exchange/all-reduce.cu"
#include "exchange/reduce-norm.cu"
#include "timed-graph.cuh"
#include <chrono>
#include <vector>

constexpr int SUMS = 64, LAUNCHES = 12, WORK_US = 35;
constexpr size_t MAX_ROWS = 2048, MAX_VECTORS = MAX_ROWS * HIDDEN / 8;
constexpr int ONE_SHOT = RANKS, TWO_SHOT = 2 * RANKS;

__global__ void work(long ns) {
  allow_successor();
  wait_predecessor();
  const u64 begin = clock_ns();
  while (clock_ns() - begin < (u64)ns) {}
}

struct Rank {
  cudaStream_t stream;
  Vec16* region;
  RegionState* state;
  u64* table;
  u16 *x, *residual, *weight, *out;
};
static Rank ranks[RANKS];

// Empties the regions and describes them, for buffers of `slots` slots.
static void prepare(int slots, size_t slotVectors) {
  u32* signals;
  CHECK(cudaHostAlloc(&signals, 64, cudaHostAllocPortable | cudaHostAllocMapped));
  signals[0] = signals[1] = 0;
  for (int r = 0; r < RANKS; r++) {
    CHECK(cudaSetDevice(r));
    Rank& rank = ranks[r];
    std::vector<u32> empty((size_t)BUFFERS * slots * slotVectors * 4, Halves::SENTINEL);
    CHECK(cudaMemcpy(rank.region, empty.data(), empty.size() * 4, cudaMemcpyHostToDevice));
    CHECK(cudaMemset(rank.state, 0, sizeof(RegionState)));
    u64 table[16] = {(u64)r, (u64)rank.state, (u64)signals, slotVectors, 3000000000ull};
    for (int peer = 0; peer < RANKS; peer++) table[REGION_PEERS + peer] = (u64)ranks[peer].region;
    CHECK(cudaMemcpy(rank.table, table, sizeof table, cudaMemcpyHostToDevice));
  }
}

static void enqueue_sum(const Rank& rank, int rows, bool isOneShot) {
  const int vectors = rows * HIDDEN / 8;
  if (isOneShot) {
    launch(reduce_add_rms_norm, rows, REDUCE_NORM_THREADS, 0,
           ReduceNormArgs{rank.table, rank.x, rank.residual, rank.weight, rank.out, 1e-5f});
  } else {
    const int chunk = (vectors + RANKS - 1) / RANKS;
    const int blocks = std::min((chunk + TWO_SHOT_THREADS - 1) / TWO_SHOT_THREADS, 132);
    launch(all_reduce_two_shot, blocks, TWO_SHOT_THREADS, 0, TwoShotArgs{rank.table, rank.x, vectors, chunk});
  }
}

// Prints the times of a sum, and returns the median in microseconds.
static double time_sums(int rows, bool isOneShot, int lateUs) {
  prepare(isOneShot ? ONE_SHOT : TWO_SHOT, isOneShot ? MAX_VECTORS / 16 : MAX_VECTORS / RANKS);
  cudaGraphExec_t graphs[RANKS];
  for (int r = 0; r < RANKS; r++) {
    CHECK(cudaSetDevice(r));
    stream = ranks[r].stream;
    cudaGraph_t graph;
    CHECK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
    if (r == 1 && lateUs > 0) launch(work, 1, 32, 0, 1000L * lateUs);
    for (int i = 0; i < SUMS; i++) {
      launch(work, 132, 32, 0, 1000L * WORK_US);
      enqueue_sum(ranks[r], rows, isOneShot);
    }
    CHECK(cudaStreamEndCapture(stream, &graph));
    CHECK(cudaGraphInstantiate(&graphs[r], graph, 0));
    CHECK(cudaGraphDestroy(graph));
  }
  std::vector<double> times;
  for (int i = 0; i < LAUNCHES; i++) {
    const auto begin = std::chrono::steady_clock::now();
    for (int r = 0; r < RANKS; r++) {
      CHECK(cudaSetDevice(r));
      CHECK(cudaGraphLaunch(graphs[r], ranks[r].stream));
    }
    for (int r = 0; r < RANKS; r++) CHECK(cudaStreamSynchronize(ranks[r].stream));
    const double us = std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count();
    if (i >= 2) times.push_back((us - lateUs) / SUMS - WORK_US);
  }
  for (int r = 0; r < RANKS; r++) CHECK(cudaGraphExecDestroy(graphs[r]));
  std::sort(times.begin(), times.end());
  const double median = times[times.size() / 2];
  printf("%s %4d rows, %4d us late: median %7.1f, slowest %7.1f us a sum\n", isOneShot ? "one shot " : "two shots",
         rows, lateUs, median, times.back());
  return median;
}

// Whether late starts cost no more than the time by which they are late.
static bool recovers(int rows, bool isOneShot) {
  const double usual = time_sums(rows, isOneShot, 0);
  bool isGood = true;
  for (int lateUs : {20, 500, 2000}) isGood &= time_sums(rows, isOneShot, lateUs) <= 2 * usual;
  return isGood;
}

int main() {
  int count;
  CHECK(cudaGetDeviceCount(&count));
  if (count < RANKS) {
    fprintf(stderr, "This needs %d GPUs; there are %d.\n", RANKS, count);
    return 1;
  }
  for (int r = 0; r < RANKS; r++) {
    CHECK(cudaSetDevice(r));
    for (int peer = 0; peer < RANKS; peer++)
      if (peer != r) CHECK(cudaDeviceEnablePeerAccess(peer, 0));
    Rank& rank = ranks[r];
    CHECK(cudaStreamCreateWithFlags(&rank.stream, cudaStreamNonBlocking));
    CHECK(cudaMalloc(&rank.region, BUFFERS * 2 * MAX_VECTORS * 16));
    CHECK(cudaMalloc(&rank.state, sizeof(RegionState)));
    CHECK(cudaMalloc(&rank.table, 16 * 8));
    for (u16** values : {&rank.x, &rank.residual, &rank.weight, &rank.out}) {
      CHECK(cudaMalloc(values, MAX_VECTORS * 16));
      CHECK(cudaMemset(*values, 0, MAX_VECTORS * 16));
    }
  }
  bool isGood = true;
  for (int rows : {1, 4, 16, 32, 64, 96, 128}) isGood &= recovers(rows, true);
  for (int rows : {64, 128, 512, 2048}) isGood &= recovers(rows, false);
  return isGood ? 0 : 1;
}
