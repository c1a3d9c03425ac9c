// Times what a decode step of a few rows does in a layer beside attention: the kernels of dense, norm, gate and up,
// proj, norm and the next layer's qkv, for LLaMA-2-7B's shape with INT8 weights, in a captured graph of 32 layers whose
// launches overlap as in an engine. Between layers a small kernel stands for attention. Weights are random bytes.
//
//   nvcc -std=c++17 -arch=sm_90a -O3 -Isrc/ops -Isrc -o layer bench/cuda/layer.cu
//   ./layer            rows 1, 4, 8, 9 and 16 with the shapes that src/ops/linear/cuda/ring.ts has built in
//   ./layer shapes     16 rows with other shapes of the kernels, too
//
// A line is microseconds of a layer, of the fastest of 12 launches, and the rate at which weights are read. What a
// change of ring.cu or of rms-norm.cu is worth shows here in seconds, without an engine; what it is worth in tokens
// takes `aloft bench`.
#define HIDDEN 4096
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <cuda.h>
#include <cuda_runtime.h>
#include "linear/cuda/ring.cu"
#include "rms-norm/rms-norm.cu"

#define KERNELS(groups)                                               \
  RING_KERNEL(store_##groups##_1188, INT8, groups, 1, 1, 8, 8, STORE) \
  RING_KERNEL(store_##groups##_2144, INT8, groups, 2, 1, 4, 4, STORE) \
  RING_KERNEL(swiglu_##groups##_2144, INT8, groups, 2, 1, 4, 4, SWIGLU)
KERNELS(1)
KERNELS(2)
#define MORE_KERNELS(tiles, rowWarps, kWarps, boxes)                                                    \
  RING_KERNEL(store_2_##tiles##rowWarps##kWarps##boxes, INT8, 2, tiles, rowWarps, kWarps, boxes, STORE) \
  RING_KERNEL(swiglu_2_##tiles##rowWarps##kWarps##boxes, INT8, 2, tiles, rowWarps, kWarps, boxes, SWIGLU)
MORE_KERNELS(2, 1, 8, 8)
MORE_KERNELS(2, 2, 4, 4)
MORE_KERNELS(4, 1, 4, 4)

constexpr int INTER = 11008, MOST_ROWS = 16, LAYERS = 4, GRAPH_LAYERS = 32, LAUNCHES = 12;

#define CHECK(call)                                                             \
  do {                                                                          \
    const auto status = (call);                                                 \
    if ((int)status != 0) {                                                     \
      fprintf(stderr, "%s: error %d, line %d\n", #call, (int)status, __LINE__); \
      exit(1);                                                                  \
    }                                                                           \
  } while (0)

struct AttentionArgs {
  const u16* qkv;
  u16* out;
  int rows;
};
extern "C" __global__ void like_attention(const AttentionArgs a) {
  allow_successor();
  wait_predecessor();
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < a.rows * HIDDEN; i += gridDim.x * blockDim.x)
    a.out[i] = float_to_act(tanhf(act_to_float(a.qkv[(size_t)(i / HIDDEN) * 3 * HIDDEN + i % HIDDEN])));
}
__global__ void fill_bytes(u32* p, size_t words, u32 seed) {
  for (size_t i = blockIdx.x * (size_t)blockDim.x + threadIdx.x; i < words; i += (size_t)gridDim.x * blockDim.x) {
    u32 x = (u32)i * 2654435761u + seed;
    x ^= x >> 16, x *= 0x85ebca6bu, x ^= x >> 13;
    p[i] = x;
  }
}
__global__ void fill_floats(float* p, int count, float value) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x) p[i] = value;
}
__global__ void fill_acts(u16* p, int count, float value) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x)
    p[i] = float_to_act(value);
}

static cudaStream_t stream;
static int multiprocessors;

typedef CUresult (*Encode)(CUtensorMap*, CUtensorMapDataType, cuuint32_t, void*, const cuuint64_t*, const cuuint64_t*,
                           const cuuint32_t*, const cuuint32_t*, CUtensorMapInterleave, CUtensorMapSwizzle,
                           CUtensorMapL2promotion, CUtensorMapFloatOOBfill);

// A map of [MOST_ROWS, columns] f16 with boxes of 64 columns, `boxes` of which are copied at once.
static TensorMap map_of(void* address, int columns, int boxRows, int boxes) {
  static void* encode = nullptr;
  cudaDriverEntryPointQueryResult found;
  if (encode == nullptr)
    CHECK(cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &encode, 12000, cudaEnableDefault, &found));
  alignas(64) CUtensorMap made;
  const cuuint64_t sizes[3] = {64, MOST_ROWS, (cuuint64_t)columns / 64}, strides[2] = {(cuuint64_t)columns * 2, 128};
  const cuuint32_t box[3] = {64, (cuuint32_t)boxRows, (cuuint32_t)boxes}, steps[3] = {1, 1, 1};
  CHECK(((Encode)encode)(&made, CU_TENSOR_MAP_DATA_TYPE_FLOAT16, 3, address, sizes, strides, box, steps,
                         CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B, CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
                         CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE));
  TensorMap map;
  memcpy(&map, &made, sizeof map);
  return map;
}

// A launch that may begin before its predecessor has ended.
template <typename Args> static void launch(void (*kernel)(Args), int blocks, int threads, int sharedBytes, Args args) {
  CHECK(cudaFuncSetAttribute((const void*)kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, sharedBytes));
  cudaLaunchAttribute early;
  early.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  early.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config = {};
  config.gridDim = blocks, config.blockDim = threads, config.dynamicSmemBytes = sharedBytes, config.stream = stream;
  config.attrs = &early, config.numAttrs = 1;
  void* parameters[1] = {&args};
  CHECK(cudaLaunchKernelExC(&config, (const void*)kernel, parameters));
}

struct Linear {
  u8* weight;
  float* scale;
  int n, k;
  size_t bytes() const { return (size_t)n * k; }
};
// As a configuration of ring.ts; the number of groups of 8 tokens follows from the rows.
struct Shape {
  void (*store[2])(RingArgs);
  void (*swiglu[2])(RingArgs);
  int tilesPerWarp, rowWarps, kWarps, boxes, sharedKib, blocksPerMultiprocessor;
};
struct Buffers {
  u16 *attention, *gated, *qkv, *residual, *delta, *normed, *normWeight;
};

static void run_linear(const Linear& l, const Shape& shape, bool isGated, u16* x, u16* out, int rows) {
  const int groups = rows > 8 ? 2 : 1, xRows = rows == 1 ? 1 : rows <= 4 ? 4 : groups * 8;
  const int unit = xRows == 1 ? 128 : 1024, tiles = shape.tilesPerWarp * shape.rowWarps;
  const auto whole = [&](int bytes) { return (bytes + unit - 1) / unit * unit; };
  const int stage = whole(shape.boxes * tiles * 1024) + whole(xRows * shape.boxes * 128);
  const int fixed = 256 + shape.kWarps * tiles * groups * 8 * 16 * 4;
  RingArgs a = {};
  a.x = x, a.weight = l.weight, a.scale = l.scale, a.out = out, a.m = rows, a.n = l.n, a.k = l.k, a.xRows = xRows;
  a.outStride = isGated ? l.n / 2 : l.n;
  a.stageCount = std::min(16, (shape.sharedKib * 1024 - fixed) / stage);
  a.xBoxCount = shape.boxes;
  a.xMap = map_of(x, l.k, xRows == 1 ? 8 : xRows, shape.boxes);
  const int tileRows = tiles * (isGated ? 8 : 16);
  const int blocks = std::min(multiprocessors * shape.blocksPerMultiprocessor, (a.outStride + tileRows - 1) / tileRows);
  launch((isGated ? shape.swiglu : shape.store)[groups - 1], blocks, (shape.rowWarps * shape.kWarps + 1) * 32,
         fixed + a.stageCount * stage, a);
}

struct Layer {
  Linear dense, gate, proj, qkv;
};

static void run_layer(const Layer& l, const Buffers& b, const Shape& few, const Shape& many, int rows) {
  const auto norm = [&] {
    launch(add_rms_norm, rows, NORM_THREADS, 0, RmsNormArgs{b.residual, b.delta, b.normWeight, b.normed, 1e-5f});
  };
  launch(like_attention, multiprocessors, 128, 0, AttentionArgs{b.qkv, b.attention, rows});
  run_linear(l.dense, few, false, b.attention, b.delta, rows);
  norm();
  run_linear(l.gate, many, true, b.normed, b.gated, rows);
  run_linear(l.proj, few, false, b.gated, b.delta, rows);
  norm();
  run_linear(l.qkv, many, false, b.normed, b.qkv, rows);
}

static void time_layers(const Layer* layers, const Buffers& b, const Shape& few, const Shape& many, int rows) {
  cudaGraph_t graph;
  cudaGraphExec_t whole;
  CHECK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
  for (int i = 0; i < GRAPH_LAYERS; i++) run_layer(layers[i % LAYERS], b, few, many, rows);
  CHECK(cudaStreamEndCapture(stream, &graph));
  CHECK(cudaGraphInstantiate(&whole, graph, 0));
  cudaEvent_t start, end;
  CHECK(cudaEventCreate(&start));
  CHECK(cudaEventCreate(&end));
  float best = 1e9f;
  for (int i = 0; i < LAUNCHES; i++) {
    float ms;
    CHECK(cudaEventRecord(start, stream));
    CHECK(cudaGraphLaunch(whole, stream));
    CHECK(cudaEventRecord(end, stream));
    CHECK(cudaEventSynchronize(end));
    CHECK(cudaEventElapsedTime(&ms, start, end));
    best = std::min(best, ms);
  }
  const Layer& l = layers[0];
  const double bytes = (double)l.dense.bytes() + l.gate.bytes() + l.proj.bytes() + l.qkv.bytes();
  const auto name = [](const Shape& s) {
    static char text[2][64];
    static int turn;
    char* to = text[turn ^= 1];
    snprintf(to, sizeof text[0], "%d %d %d %d, %d KiB x %d", s.tilesPerWarp, s.rowWarps, s.kWarps, s.boxes, s.sharedKib,
             s.blocksPerMultiprocessor);
    return to;
  };
  printf("%2d rows, %s and %s: %.1f us, %.2f TB/s\n", rows, name(few), name(many), best * 1000 / GRAPH_LAYERS,
         bytes * GRAPH_LAYERS / best / 1e9);
  CHECK(cudaGraphExecDestroy(whole));
  CHECK(cudaGraphDestroy(graph));
}

int main(int argc, char** argv) {
  CHECK(cudaStreamCreate(&stream));
  cudaDeviceProp properties;
  CHECK(cudaGetDeviceProperties(&properties, 0));
  multiprocessors = properties.multiProcessorCount;
  printf("%s, %d multiprocessors\n", properties.name, multiprocessors);
  u32 seed = 1;
  const auto linear = [&](int n, int k) {
    Linear l = {nullptr, nullptr, n, k};
    CHECK(cudaMalloc(&l.weight, l.bytes()));
    CHECK(cudaMalloc(&l.scale, n * 4));
    fill_bytes<<<1024, 256, 0, stream>>>((u32*)l.weight, l.bytes() / 4, seed++);
    fill_floats<<<64, 256, 0, stream>>>(l.scale, n, 2e-4f);
    return l;
  };
  Layer layers[LAYERS];
  for (Layer& l : layers)
    l = {linear(HIDDEN, HIDDEN), linear(2 * INTER, HIDDEN), linear(HIDDEN, INTER), linear(3 * HIDDEN, HIDDEN)};
  const auto acts = [&](int columns, float value) {
    u16* p;
    CHECK(cudaMalloc(&p, MOST_ROWS * columns * 2));
    fill_acts<<<64, 256, 0, stream>>>(p, MOST_ROWS * columns, value);
    return p;
  };
  const Buffers buffers = {acts(HIDDEN, 0.5f), acts(INTER, 0.5f),  acts(3 * HIDDEN, 0.5f), acts(HIDDEN, 0.5f),
                           acts(HIDDEN, 0.5f), acts(HIDDEN, 0.5f), acts(HIDDEN, 1.f)};
  const Shape few = {{store_1_1188, store_2_1188}, {}, 1, 1, 8, 8, 108, 2};
  const Shape many = {{store_1_2144, store_2_2144}, {swiglu_1_2144, swiglu_2_2144}, 2, 1, 4, 4, 72, 3};
  for (int rows : {1, 4, 8, 9, 16}) time_layers(layers, buffers, few, many, rows);
  if (argc < 2 || strcmp(argv[1], "shapes") != 0) return 0;
  const Shape others[] = {many,
                          {{nullptr, store_2_2188}, {nullptr, swiglu_2_2188}, 2, 1, 8, 8, 108, 2},
                          {{nullptr, store_2_2244}, {nullptr, swiglu_2_2244}, 2, 2, 4, 4, 108, 2},
                          {{nullptr, store_2_4144}, {nullptr, swiglu_2_4144}, 4, 1, 4, 4, 72, 3}};
  for (Shape other : others)
    for (int blocks = 1; blocks <= 3; blocks++) {
      other.blocksPerMultiprocessor = blocks, other.sharedKib = blocks == 1 ? 200 : 216 / blocks;
      const int stage = other.boxes * other.tilesPerWarp * other.rowWarps * 1024 + 16 * other.boxes * 128;
      const int fixed = 256 + other.kWarps * other.tilesPerWarp * other.rowWarps * 16 * 64;
      if ((other.sharedKib * 1024 - fixed) / stage >= 2) time_layers(layers, buffers, few, other, 16);
    }
  return 0;
}
