// Times decode attention over int8 caches by itself: decode-int8.cu for 9 rows and more and decode-ring.cu for fewer,
// with LLaMA-2-7B's heads on one GPU (32) and on each of two (16). Caches, block tables and queries are random. Rows
// are cut by several rules, the one of int8Pieces in cuda-decode.ts among them. Every result is compared with a plain
// kernel.
//
//   nvcc -std=c++17 -arch=sm_90a -O3 -use_fast_math -Isrc/ops -Isrc -cudart static -o decode-int8 \
//     bench/cuda/decode-int8.cu
//   ./decode-int8         all cases
//   ./decode-int8 16      those of 16 rows
//
// A line is microseconds of a layer, of the fastest of 7 launches of a graph of 32 layers, and the rate at which keys,
// values and scales are read. Layers have caches of their own, four that take turns, and a small kernel stands between
// two of them, as the linear layers do in a step; its time is subtracted. `copies` is what the same copies take when
// nothing is computed.
#define KV_INT8 1
#define HEAD_DIM 128
#define GROUP 1
#define BLOCK_TOKENS 16
#define INT8_SLOT_BLOCKS 2
#define INT8_WARPS 6
#define INT8_TEAMS 1
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <random>
#include <string>
#include <vector>
#include <cuda_runtime.h>
#include "paged-attention/decode-int8.cu"
#include "paged-attention/decode-ring.cu"
#include "decode-plain.cuh"

constexpr int LAYERS = 4, GRAPH_LAYERS = 32, LAUNCHES = 7, MOST_ROWS = 256, MOST_HEADS = 32;
constexpr size_t POOL_BYTES = (size_t)24 << 30;
constexpr float TOLERANCE = 0.01f;

// Stands for what lies between the attention of two layers: nothing of the next one overlaps this one's end.
__global__ void between() {
  wait_predecessor();
  allow_successor();
}

// The copies of attention_decode_int8 and its waits for them.
extern "C" __global__ void __launch_bounds__(INT8_WARPS * 32, 2) only_copies(const DecodeArgs a) {
  extern __shared__ __align__(128) u8 memory[];
  __shared__ SlotBarriers barriers[INT8_WARPS];
  const int warp = threadIdx.x >> 5;
  allow_successor();
  const int unitCount = *a.itemCount * a.kvHeads;
  AheadCopies<AloneInTeam> copies{a, AloneInTeam(a, warp), warp * (int)gridDim.x + (int)blockIdx.x,
                                  (int)gridDim.x * INT8_WARPS, unitCount};
  const int first = copies.index;
  Int8Decoder<AloneInTeam> d{
      a, shared_address(memory) + warp * SLOTS * SLOT_BYTES, shared_address(&barriers[warp]), 0, 0, copies, nullptr};
  d.start_copies();
  wait_predecessor();
  for (int index = first; index < unitCount; index += d.copies.step) {
    const int slots = slots_of(unit_at(a, index));
    for (int s = 0; s < slots; s++) {
      barrier_wait(d.full(d.slot), d.parity);
      __syncwarp();
      d.copies.request(d.slot_at(d.slot), d.full(d.slot));
      if (++d.slot == SLOTS) d.slot = 0, d.parity ^= 1;
    }
  }
}

// As in cuda-pieces.ts.
struct Rule {
  int count, least, most, step;
  int piece(int tokens) const {
    const auto quotient = [](int a, int b) { return (a + b - 1) / b; };
    const int pieces = count * quotient(tokens, count * most);
    return std::max(least, step * quotient(tokens, pieces * step));
  }
};
static Rule fixed(int tokens) { return {1, tokens, tokens, tokens}; }
static Rule equal(int count, int least = 256, int most = 2048) { return {count, least, most, BLOCK_TOKENS}; }

struct Kernel {
  void (*run)(DecodeArgs);
  int warps, threads, sharedBytes, stageCount, teamWarps;
};
static Kernel int8_kernel(int teamWarps) {
  return {teamWarps > 1 ? attention_decode_int8_teams : attention_decode_int8,
          INT8_WARPS,
          INT8_WARPS * 32,
          INT8_WARPS * SLOTS * SLOT_BYTES,
          0,
          teamWarps};
}
static const Kernel INT8 = int8_kernel(1);
static const Kernel COPIES = {only_copies, INT8_WARPS, INT8_WARPS * 32, INT8_WARPS * SLOTS * SLOT_BYTES, 0, 1};
static const Kernel RING = {attention_decode_ring, 1, 7 * 32, 18 * KV_HEAD_BYTES, 18, 1};

static int blocksOfDevice;
static DecodeArgs base;
static int *lengthsOnDevice, *itemsOnDevice, *tableOnDevice;
static float *expected, betweenUs;
static int failures;

// Microseconds of one of the GRAPH_LAYERS that `enqueue` is called for.
template <typename Enqueue> static float time_layers(Enqueue enqueue) {
  const float all = fastest_launch(LAUNCHES, [&] {
    for (int i = 0; i < GRAPH_LAYERS; i++) {
      enqueue(i % LAYERS);
      launch(between, 132, 128, 0);
    }
  });
  return all / GRAPH_LAYERS - betweenUs;
}

// Rows of a step, with heads.
struct Case {
  std::vector<int> lengths;
  int heads;
  DecodeArgs args;

  Case(std::vector<int> lengthsOfRows, int headCount) : lengths(lengthsOfRows), heads(headCount), args(base) {
    const int rows = lengths.size(), maxBlocks = MOST_TOKENS / BLOCK_TOKENS;
    args.kvHeads = heads, args.maxBlocks = maxBlocks;
    args.blockStride = (u64)LAYERS * heads * KV_HEAD_BYTES;
    int used = 0;
    for (const int length : lengths) used += (length + BLOCK_TOKENS - 1) / BLOCK_TOKENS;
    std::vector<int> order(used), table(rows * maxBlocks, 0);
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), std::mt19937(used));
    if (rows > MOST_ROWS || used * args.blockStride > POOL_BYTES) fprintf(stderr, "a case is too large\n"), exit(1);
    for (int row = 0, next = 0; row < rows; row++)
      for (int b = 0; b * BLOCK_TOKENS < lengths[row]; b++) table[row * maxBlocks + b] = order[next++];
    CHECK(cudaMemcpy(tableOnDevice, table.data(), table.size() * 4, cudaMemcpyHostToDevice));
    CHECK(cudaMemcpy(lengthsOnDevice, lengths.data(), rows * 4, cudaMemcpyHostToDevice));
    plain<<<dim3(rows, heads), HEAD_DIM, 0, stream>>>(args, lengthsOnDevice, expected);
    CHECK(cudaStreamSynchronize(stream));
    const auto [least, most] = std::minmax_element(lengths.begin(), lengths.end());
    if (*least == *most)
      printf("%d rows x %d heads, %d tokens\n", rows, heads, *least);
    else
      printf("%d rows x %d heads, %d to %d tokens\n", rows, heads, *least, *most);
  }

  void run(const char* name, const Kernel& kernel, const Rule& rule) const {
    std::vector<int> items;
    size_t tokens = 0;
    for (int row = 0; row < (int)lengths.size(); row++) {
      const int piece = rule.piece(lengths[row]), count = (lengths[row] + piece - 1) / piece;
      for (int i = 0; i < count; i++)
        for (const int word : {row << 16 | i, count << 16 | piece, lengths[row], row}) items.push_back(word);
      tokens += lengths[row];
    }
    const int itemCount = items.size() / 4, units = itemCount * heads;
    CHECK(cudaMemcpy(itemsOnDevice, items.data(), items.size() * 4, cudaMemcpyHostToDevice));
    CHECK(cudaMemcpy((void*)args.itemCount, &itemCount, 4, cudaMemcpyHostToDevice));
    DecodeArgs a = args;
    a.stageCount = kernel.stageCount, a.teamWarps = kernel.teamWarps;
    const auto enqueue = [&](int layer) {
      DecodeArgs ofLayer = a;
      ofLayer.cache += (size_t)layer * heads * KV_HEAD_BYTES;
      launch(kernel.run, std::min(units, blocksOfDevice), kernel.threads, kernel.sharedBytes, ofLayer);
    };
    const size_t outs = lengths.size() * heads * HEAD_DIM;
    CHECK(cudaMemset(a.out, 0, outs * 2));
    enqueue(0);
    CHECK(cudaStreamSynchronize(stream));
    const float error = kernel.run == only_copies ? 0.f : error_of(a.out, expected, outs);
    const float us = time_layers(enqueue);
    const double bytes = (double)tokens * heads * (KV_HEAD_BYTES / BLOCK_TOKENS);
    printf("  %-22s %5d units, %.2f of the %s: %6.1f us, %.2f TB/s", name, units,
           (double)units / (blocksOfDevice * kernel.warps), kernel.warps == 1 ? "blocks" : "warps", us,
           bytes / us / 1e6);
    printf(error > TOLERANCE ? ", WRONG by %.4f\n" : "\n", error);
    failures += error > TOLERANCE;
  }
};

static std::vector<int> same(int rows, int tokens) { return std::vector<int>(rows, tokens); }

// One wave of pieces, and other rules beside it.
static void few_units(const Case& c, int mostRows) {
  c.run("copies, 512", COPIES, fixed(512));
  c.run("fixed 512", INT8, fixed(512));
  c.run("fixed 256", INT8, fixed(256));
  const int count = blocksOfDevice * INT8_WARPS / (mostRows * c.heads);
  for (int pieces = count - 1; pieces <= count + 1; pieces++)
    if (pieces > 0)
      c.run((std::to_string(pieces) + " pieces" + (pieces == count ? " (rule)" : "")).c_str(), INT8, equal(pieces));
  c.run("copies by the rule", COPIES, equal(count));
  for (const int team : {2, 3, 6})
    for (int pieces = 1; pieces <= 2; pieces++)
      c.run((std::to_string(pieces) + " pieces, teams of " + std::to_string(team)).c_str(), int8_kernel(team),
            equal(pieces, 256, 2048 * team));
}
static void many_units(const Case& c) {
  for (const int tokens : {256, 512, 1024, 2048})
    c.run(("fixed " + std::to_string(tokens)).c_str(), INT8, fixed(tokens));
  for (int pieces = 1; pieces <= 3; pieces++) c.run((std::to_string(pieces) + " pieces").c_str(), INT8, equal(pieces));
  for (const int team : {2, 3, 6})
    c.run(("1 piece, teams of " + std::to_string(team)).c_str(), int8_kernel(team), equal(1, 256, 2048 * team));
  c.run("copies, 512", COPIES, fixed(512));
}
static void few_rows(const Case& c) {
  for (const int tokens : {512, 256, 128})
    c.run(("ring, fixed " + std::to_string(tokens)).c_str(), RING, fixed(tokens));
  const int count = blocksOfDevice / c.heads;
  c.run(("ring, " + std::to_string(count) + " pieces").c_str(), RING, equal(count, 128, 512));
  if (count >= 8) c.run(("ring, " + std::to_string(count / 2) + " pieces").c_str(), RING, equal(count / 2, 128, 512));
}

int main(int argc, char** argv) {
  const int only = argc > 1 ? atoi(argv[1]) : 0;
  cudaDeviceProp properties;
  CHECK(cudaStreamCreate(&stream));
  CHECK(cudaGetDeviceProperties(&properties, 0));
  blocksOfDevice = 2 * properties.multiProcessorCount;
  printf("%s, %d multiprocessors\n", properties.name, properties.multiProcessorCount);
  const auto device = [](auto*& p, size_t bytes) {
    CHECK(cudaMalloc((void**)&p, bytes));
    CHECK(cudaMemset((void*)p, 0, bytes));
  };
  const size_t qkvCount = (size_t)MOST_ROWS * 3 * MOST_HEADS * HEAD_DIM,
               outCount = (size_t)MOST_ROWS * MOST_HEADS * HEAD_DIM;
  const size_t mostItems = MOST_ROWS * MOST_TOKENS / 128;
  u16* qkv;
  float *cosine, *sine;
  int* itemCount;
  device(qkv, qkvCount * 2);
  device(cosine, MOST_TOKENS * HEAD_DIM / 2 * 4);
  device(sine, MOST_TOKENS * HEAD_DIM / 2 * 4);
  device(base.cache, POOL_BYTES);
  device(base.out, outCount * 2);
  device(base.partials, mostItems * MOST_HEADS * (HEAD_DIM + 2) * 4);
  device(base.arrivals, MOST_ROWS * MOST_HEADS * 4);
  device(expected, outCount * 4);
  device(itemCount, 4);
  device(itemsOnDevice, mostItems * 16);
  device(lengthsOnDevice, MOST_ROWS * 4);
  device(tableOnDevice, MOST_ROWS * MOST_TOKENS / BLOCK_TOKENS * 4);
  base.qkv = qkv, base.cosTable = cosine, base.sinTable = sine, base.itemCount = itemCount;
  base.items = itemsOnDevice, base.blockTables = tableOnDevice;
  fill_cache<<<2048, 256, 0, stream>>>((u32*)base.cache, POOL_BYTES / 4);
  fill_qkv<<<512, 256, 0, stream>>>(qkv, qkvCount);
  fill_rotation<<<512, 256, 0, stream>>>(cosine, sine);
  CHECK(cudaStreamSynchronize(stream));
  betweenUs = time_layers([](int) {});
  printf("between layers: %.1f us, subtracted\n", betweenUs);

  const auto wanted = [&](int rows) { return only == 0 || only == rows; };
  for (const int heads : {32, 16})
    for (const int tokens : {190, 1100, 2048, 3000, 4000})
      if (wanted(16)) few_units(Case(same(16, tokens), heads), 16);
  if (wanted(9))
    for (const int heads : {32, 16}) few_units(Case(same(9, 2048), heads), 16);
  if (wanted(16)) {
    std::vector<int> mixed;
    for (int row = 0; row < 16; row++) mixed.push_back(1000 + 200 * (row * 7 % 16));
    few_units(Case(mixed, 32), 16);
  }
  for (const int tokens : {130, 190, 1000, 2048})
    if (wanted(64)) many_units(Case(same(64, tokens), 32));
  if (wanted(32)) many_units(Case(same(32, 2048), 32));
  if (wanted(160)) many_units(Case(same(160, 2048), 32));
  for (const int rows : {1, 4, 8})
    for (const int tokens : {600, 1100, 2048, 4000})
      if (wanted(rows)) few_rows(Case(same(rows, tokens), 32));
  if (wanted(1)) few_rows(Case(same(1, 2048), 16));
  if (failures > 0) fprintf(stderr, "%d results are wrong\n", failures);
  return failures > 0;
}
