// Decode attention over a cache of activations with grouped queries: the kernels on tensor cores, a warp a unit and a
// block a unit, beside the one that multiplies on the cores, each first compared with sums in double precision.
//
//   nvcc -std=c++17 -arch=sm_90a -O3 --use_fast_math -Isrc/ops -Isrc -cudart static -DGROUP=7 -o decode \
//     bench/cuda/decode-attention.cu
//   ./decode
//
// GROUP is the number of query heads a key head; 28 heads with 7, else 32. HEAD_DIM (default: 128), ACT_BF16 and
// TENSOR_SHARED_SLOTS may be given, too. A time is that of a launch in a captured graph of 24 layers, each with a cache
// of its own as far as 2 GiB go, whose launches overlap as in an engine; between them a small kernel stands for the
// linear layers, whose time is taken off. It is the fastest of 6 launches.
#ifndef GROUP
#define GROUP 7
#endif
#ifndef HEAD_DIM
#define HEAD_DIM 128
#endif
#define BLOCK_TOKENS 16
#define TENSOR_WARPS (HEAD_DIM > 128 ? 4 : 8)
#define TENSOR_SLOTS 3
#ifndef TENSOR_SHARED_SLOTS
#define TENSOR_SHARED_SLOTS 2
#endif
#define TENSOR_TOKENS (HEAD_DIM < 128 ? 32 : 16)
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>
#include <cuda_runtime.h>
#include "paged-attention/decode-ring.cu"
#include "paged-attention/decode-tensor.cu"
#include "timed-graph.cuh"

constexpr int KV_HEADS = GROUP == 7 ? 4 : std::max(1, 32 / GROUP), HEADS = GROUP * KV_HEADS;
constexpr int LAYERS = 24, GRAPHS = 6, MOST_ROWS = 256, POSITIONS = 8192, COLUMNS = (HEADS + 2 * KV_HEADS) * HEAD_DIM;
constexpr size_t HEAD_BLOCK = (size_t)BLOCK_TOKENS * HEAD_DIM, LAYER_BLOCK = 2 * KV_HEADS * HEAD_BLOCK;

// Numbers in [-size, size] that follow from a place.
__global__ void fill(u16* p, size_t count, float size, u32 seed) {
  for (size_t i = blockIdx.x * (size_t)blockDim.x + threadIdx.x; i < count; i += (size_t)gridDim.x * blockDim.x) {
    u32 x = (u32)i * 2654435761u + (u32)(i >> 32) * 40503u + seed;
    x ^= x >> 16, x *= 0x85ebca6bu, x ^= x >> 13, x *= 0xc2b2ae35u, x ^= x >> 16;
    p[i] = float_to_act(((float)(x & 0xffff) / 32768.f - 1.f) * size);
  }
}
// The linear layers' place between attentions.
__global__ void between(u16* qkv, int rows) {
  allow_successor();
  wait_predecessor();
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < rows; i += gridDim.x * blockDim.x)
    if (qkv[(size_t)i * COLUMNS] == 0xfe01) qkv[(size_t)i * COLUMNS] = 0;
}
__global__ void read_all(const uint4* p, size_t count, u32* out) {
  u32 sum = 0;
#pragma unroll 8
  for (size_t i = blockIdx.x * (size_t)blockDim.x + threadIdx.x; i < count; i += (size_t)gridDim.x * blockDim.x) {
    const uint4 v = __ldcs(p + i);
    sum += v.x ^ v.y ^ v.z ^ v.w;
  }
  if (sum == 0x12345) *out = sum;
}

static int multiprocessors;

struct Kernel {
  const char* name;
  void (*run)(const DecodeArgs);
  int warps, sharedBytes;
  bool isRing;
};
constexpr int SLOT_BYTES = TENSOR_WARPS * TensorSlot<TENSOR_TOKENS>::BYTES;
static const Kernel KERNELS[] = {
#if GROUP * HEAD_DIM <= 1024  // whose sums are no more than 48 KiB
    {"ring", attention_decode_ring, 9, 0, true},
#endif
    {"tensor, a warp a unit", attention_decode_tensor, TENSOR_WARPS, TENSOR_SLOTS * SLOT_BYTES, false},
    {"tensor, a block a unit", attention_decode_tensor_shared, TENSOR_WARPS,
     TENSOR_SHARED_SLOTS * SLOT_BYTES + (int)sizeof(WarpSums<TENSOR_WARPS>), false},
};

template <typename T> static T* device_copy(const std::vector<T>& from) {
  T* to;
  CHECK(cudaMalloc(&to, std::max<size_t>(1, from.size()) * sizeof(T)));
  CHECK(cudaMemcpy(to, from.data(), from.size() * sizeof(T), cudaMemcpyHostToDevice));
  return to;
}

// Rows and their places; `layers` of the cache lie side by side in each block.
struct Work {
  std::vector<int> lengths;
  int layers, maxBlocks, items;
  std::vector<int> tables;
  DecodeArgs args;

  Work(const std::vector<int>& lengths, int layers, u16* cache, u16* qkv, u16* out, float* cosTable, float* sinTable)
      : lengths(lengths), layers(layers), items(0), args{} {
    const int rows = (int)lengths.size();
    maxBlocks = (*std::max_element(lengths.begin(), lengths.end()) + BLOCK_TOKENS - 1) / BLOCK_TOKENS;
    std::vector<int> order;
    for (int length : lengths)
      for (int i = 0; i < (length + BLOCK_TOKENS - 1) / BLOCK_TOKENS; i++) order.push_back((int)order.size());
    u32 random = 1;
    for (size_t i = order.size(); i > 1; i--)
      random = random * 1664525u + 1013904223u, std::swap(order[i - 1], order[(random >> 8) % i]);
    tables.assign((size_t)rows * maxBlocks, 0);
    size_t next = 0;
    for (int row = 0; row < rows; row++) {
      for (int i = 0; i < (lengths[row] + BLOCK_TOKENS - 1) / BLOCK_TOKENS; i++)
        tables[(size_t)row * maxBlocks + i] = order[next++];
    }
    args.qkv = qkv, args.cache = cache, args.out = out, args.cosTable = cosTable, args.sinTable = sinTable;
    args.blockTables = device_copy(tables);
    args.arrivals = device_copy(std::vector<u32>((size_t)rows * KV_HEADS));
    args.blockStride = layers * LAYER_BLOCK, args.kvHeads = KV_HEADS, args.maxBlocks = maxBlocks;
  }
  // Lists pieces as cuda-pieces.ts does. @param piece tokens of each but a row's last
  void cut(int piece) {
    std::vector<int> list;
    for (size_t row = 0; row < lengths.size(); row++) {
      const int count = (lengths[row] + piece - 1) / piece;
      for (int i = 0; i < count; i++)
        for (int word : {(int)row << 16 | i, count << 16 | piece, lengths[row], (int)row}) list.push_back(word);
    }
    release_items();
    items = (int)list.size() / 4;
    args.items = device_copy(list), args.itemCount = device_copy(std::vector<int>{items});
    CHECK(cudaMalloc(&args.partials, (size_t)items * HEADS * (HEAD_DIM + 2) * 4));
  }
  void release_items() {
    if (args.items == nullptr) return;
    CHECK(cudaFree((void*)args.items));
    CHECK(cudaFree((void*)args.itemCount));
    CHECK(cudaFree(args.partials));
    args.items = nullptr;
  }
  ~Work() {
    release_items();
    CHECK(cudaFree((void*)args.blockTables));
    CHECK(cudaFree(args.arrivals));
  }
  size_t tokens() const {
    size_t sum = 0;
    for (int length : lengths) sum += length;
    return sum;
  }
  double bytes() const { return (double)tokens() * KV_HEADS * HEAD_DIM * 4; }
  void run(const Kernel& kernel, int layer) const {
    DecodeArgs a = args;
    a.cache += layer % layers * LAYER_BLOCK;
    const int units = items * KV_HEADS, stageBytes = (int)(2 * HEAD_BLOCK * 2);
    a.stageCount = kernel.isRing ? std::max(1, (128 << 10) / stageBytes / 8) * 8 : 0;
    launch(kernel.run, std::min(units, multiprocessors), kernel.warps * 32,
           kernel.isRing ? a.stageCount * stageBytes : kernel.sharedBytes, (const DecodeArgs)a);
  }
};

static double value_of(u16 bits) {
#ifdef ACT_BF16
  const u32 word = (u32)bits << 16;
  float value;
  memcpy(&value, &word, 4);
  return value;
#else
  const int exponent = bits >> 10 & 31, fraction = bits & 1023;
  const double size = exponent == 0 ? ldexp(fraction, -24) : ldexp(1024 + fraction, exponent - 25);
  return bits & 0x8000 ? -size : size;
#endif
}

static std::vector<u16> download(const u16* from, size_t count) {
  std::vector<u16> to(count);
  CHECK(cudaMemcpy(to.data(), from, count * 2, cudaMemcpyDeviceToHost));
  return to;
}

// A rotated vector in double precision, rounded to `bits` of fraction as activations are.
static std::vector<double> rotated(const u16* x, int position, const std::vector<float>& cosine,
                                   const std::vector<float>& sine) {
  std::vector<double> y(HEAD_DIM);
  for (int i = 0; i < HEAD_DIM / 2; i++) {
    const size_t at = (size_t)position * (HEAD_DIM / 2) + i;
    const double a = value_of(x[i]), b = value_of(x[i + HEAD_DIM / 2]);
    y[i] = a * cosine[at] - b * sine[at], y[i + HEAD_DIM / 2] = b * cosine[at] + a * sine[at];
  }
  return y;
}

// Largest distance of a head's result from that in double precision, relative to the result's length.
static double error_of(const Work& work, const std::vector<u16>& qkv, const std::vector<u16>& out,
                       const std::vector<u16>& cache, const std::vector<float>& cosine,
                       const std::vector<float>& sine) {
  double worst = 0;
  for (size_t row = 0; row < work.lengths.size(); row++)
    for (int head = 0; head < HEADS; head++) {
      const int length = work.lengths[row], kvHead = head / GROUP;
      const u16* token = &qkv[row * COLUMNS];
      const auto q = rotated(token + head * HEAD_DIM, length - 1, cosine, sine);
      const auto newKey = rotated(token + (HEADS + kvHead) * HEAD_DIM, length - 1, cosine, sine);
      std::vector<double> scores(length), sums(HEAD_DIM);
      double top = -1e300, total = 0, difference = 0, size = 0;
      const auto vector = [&](int position, int isValue) {
        if (position == length - 1) return &token[(HEADS + isValue * KV_HEADS + kvHead) * HEAD_DIM];
        const size_t block = work.tables[row * work.maxBlocks + position / BLOCK_TOKENS];
        return &cache[block * work.args.blockStride + (isValue * KV_HEADS + kvHead) * HEAD_BLOCK +
                      position % BLOCK_TOKENS * HEAD_DIM];
      };
      for (int position = 0; position < length; position++) {
        double sum = 0;
        const u16* key = vector(position, 0);
        for (int i = 0; i < HEAD_DIM; i++) sum += q[i] * (position == length - 1 ? newKey[i] : value_of(key[i]));
        top = std::max(top, scores[position] = sum / sqrt((double)HEAD_DIM));
      }
      for (int position = 0; position < length; position++) {
        const double weight = exp(scores[position] - top);
        const u16* value = vector(position, 1);
        total += weight;
        for (int i = 0; i < HEAD_DIM; i++) sums[i] += weight * value_of(value[i]);
      }
      for (int i = 0; i < HEAD_DIM; i++) {
        const double expected = sums[i] / total;
        difference += pow(value_of(out[row * HEADS * HEAD_DIM + head * HEAD_DIM + i]) - expected, 2);
        size += expected * expected;
      }
      const double error = sqrt(difference / size);
      worst = error > worst || std::isnan(error) ? error : worst;
    }
  return worst;
}

// Microseconds of a layer of those that `enqueue` is called for.
template <typename Enqueue>
static float time_layers(Enqueue enqueue) {
  return fastest_launch(GRAPHS,
                        [&] {
                          for (int layer = 0; layer < LAYERS; layer++) enqueue(layer);
                        }) /
         LAYERS;
}

constexpr int KERNEL_COUNT = sizeof KERNELS / sizeof KERNELS[0], PIECE_COUNT = 4;
constexpr int PIECES[PIECE_COUNT] = {64, 128, 256, 512};

// Tokens of a piece by the rule of cuda-decode-tensor.ts, for many rows of equal length.
static int ruled_piece(int rows, int length) {
  int most = 16;
  while (most < rows) most *= 2;
  const int warps = multiprocessors * TENSOR_WARPS, units = most * KV_HEADS;
  const bool isOneTurn = warps / units >= 2;
  const int count = isOneTurn ? warps / units : 2 * warps / units >= 3 ? 3 : 2, least = isOneTurn ? 256 : 512;
  const int pieces = count * ((length + count * 1024 - 1) / (count * 1024)), step = pieces * BLOCK_TOKENS;
  return std::max(least, (length + step - 1) / step * BLOCK_TOKENS);
}

static void time_case(int rows, int context, size_t cacheBytes, u16* cache, u16* qkv, u16* out, float* cosTable,
                      float* sinTable) {
  const std::vector<int> lengths(rows, context);
  const size_t blocks = (size_t)rows * ((context + BLOCK_TOKENS - 1) / BLOCK_TOKENS);
  const int layers = (int)std::min<size_t>(LAYERS, cacheBytes / (blocks * LAYER_BLOCK * 2));
  Work work(lengths, layers, cache, qkv, out, cosTable, sinTable);
  const auto small = [&] { launch(between, 16, 128, 0, qkv, rows); };
  const float idle = time_layers([&](int) { small(); });
  printf("\n%d rows of %d tokens, %d layers of %.1f MB; microseconds (TB/s) with pieces of", rows, context, layers,
         work.bytes() / 1e6);
  std::vector<int> pieces(PIECES, PIECES + PIECE_COUNT);
  if (rows > 8) pieces.push_back(ruled_piece(rows, context));
  for (int piece : pieces) printf(" %d", piece);
  printf("\n");
  float times[KERNEL_COUNT][PIECE_COUNT + 1];
  for (size_t p = 0; p < pieces.size(); p++) {
    work.cut(pieces[p]);
    for (int k = 0; k < KERNEL_COUNT; k++)
      times[k][p] = time_layers([&](int layer) { small(), work.run(KERNELS[k], layer); });
  }
  for (int k = 0; k < KERNEL_COUNT; k++) {
    printf("  %-30s", KERNELS[k].name);
    for (size_t p = 0; p < pieces.size(); p++)
      printf("  %6.1f (%.2f)", times[k][p] - idle, work.bytes() / (times[k][p] - idle) / 1e6);
    printf("\n");
  }
  printf("  nothing between the small kernels: %.2f\n", idle);
}

int main() {
  CHECK(cudaStreamCreate(&stream));
  cudaDeviceProp properties;
  CHECK(cudaGetDeviceProperties(&properties, 0));
  multiprocessors = properties.multiProcessorCount;
  printf("%s, %d multiprocessors; %d query heads, %d key heads of %d\n", properties.name, multiprocessors, HEADS,
         KV_HEADS, HEAD_DIM);
  const size_t cacheBytes = (size_t)2 << 30;
  u16 *cache, *qkv, *out;
  CHECK(cudaMalloc(&cache, cacheBytes));
  CHECK(cudaMalloc(&qkv, (size_t)MOST_ROWS * COLUMNS * 2));
  CHECK(cudaMalloc(&out, (size_t)MOST_ROWS * HEADS * HEAD_DIM * 2));
  fill<<<1024, 256, 0, stream>>>(cache, cacheBytes / 2, 1.5f, 1);
  fill<<<1024, 256, 0, stream>>>(qkv, (size_t)MOST_ROWS * COLUMNS, 1.5f, 2);
  std::vector<float> cosine, sine;
  for (int position = 0; position < POSITIONS; position++)
    for (int i = 0; i < HEAD_DIM / 2; i++) {
      const double angle = position * pow(10000., -2. * i / HEAD_DIM);
      cosine.push_back((float)cos(angle)), sine.push_back((float)sin(angle));
    }
  float *cosTable = device_copy(cosine), *sinTable = device_copy(sine);
  CHECK(cudaStreamSynchronize(stream));

  {
    const std::vector<int> lengths = {1, 2, 15, 16, 17, 63, 64, 65, 256, 257, 300, 511, 700, 1100};
    Work work(lengths, 1, cache, qkv, out, cosTable, sinTable);
    int blocks = 0;
    for (int length : lengths) blocks += (length + BLOCK_TOKENS - 1) / BLOCK_TOKENS;
    const auto input = download(qkv, lengths.size() * COLUMNS);
    auto cached = download(cache, blocks * LAYER_BLOCK);
    // What was not cached is no number.
    for (size_t row = 0; row < lengths.size(); row++)
      for (int position = lengths[row] - 1; position % BLOCK_TOKENS != 0 || position == lengths[row] - 1; position++)
        for (int vector = 0; vector < 2 * KV_HEADS; vector++)
          memset(&cached[work.tables[row * work.maxBlocks + position / BLOCK_TOKENS] * LAYER_BLOCK +
                         vector * HEAD_BLOCK + position % BLOCK_TOKENS * HEAD_DIM],
                 0xff, HEAD_DIM * 2);
    CHECK(cudaMemcpy(cache, cached.data(), cached.size() * 2, cudaMemcpyHostToDevice));
    for (const Kernel& kernel : KERNELS) {
      printf("%-32s largest error with pieces of", kernel.name);
      for (int piece : PIECES) {
        work.cut(piece);
        CHECK(cudaMemset(out, 0xff, lengths.size() * HEADS * HEAD_DIM * 2));
        for (int i = 0; i < 2; i++) work.run(kernel, 0);
        CHECK(cudaStreamSynchronize(stream));
        const auto found = download(out, lengths.size() * HEADS * HEAD_DIM);
        printf("  %d: %.1e", piece, error_of(work, input, found, cached, cosine, sine));
      }
      cudaFuncAttributes attributes;
      CHECK(cudaFuncGetAttributes(&attributes, (const void*)kernel.run));
      printf("; %d registers, %zu bytes local\n", attributes.numRegs, attributes.localSizeBytes);
    }
  }
  fill<<<1024, 256, 0, stream>>>(cache, cacheBytes / 2, 1.5f, 1);
  const float reading = time_layers(
      [&](int) { launch(read_all, multiprocessors * 8, 256, 0, (const uint4*)cache, cacheBytes / 8 / 16, (u32*)out); });
  printf("reading %.0f MB: %.2f TB/s\n", cacheBytes / 8e6, cacheBytes / 8 / reading / 1e6);
  const int cases[][2] = {{1, 1100},  {1, 4000},   {4, 1100},  {8, 4000}, {16, 1100},
                          {64, 1100}, {128, 1100}, {256, 300}, {64, 130}};
  for (const auto& c : cases) time_case(c[0], c[1], cacheBytes, cache, qkv, out, cosTable, sinTable);
  return 0;
}
