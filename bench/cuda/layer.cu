// Times the kernels of a decode step of a few rows: attention, dense, gate and up, proj and the next layer's qkv, for
// LLaMA-2-7B's shape with INT8, INT4 or f16 weights, in a captured graph of 32 layers whose launches overlap as in an
// engine. Weights are random bytes.
//
//   nvcc -std=c++17 -arch=sm_90a -O3 -use_fast_math -Isrc/ops -Isrc -cudart static -o layer bench/cuda/layer.cu
//   ./layer            rows 1, 4, 8, 9 and 16 with the shapes that src/ops/linear/cuda/ring-shapes.ts has built in
//   ./layer search     1, 4, 8 and 16 rows with other shapes, too: one linear layer after the other gets the best one
//
// INT4: -DINT4; f16: -DDENSE_WEIGHTS -DKV_16BIT. Rows have 190 tokens. A line is microseconds of a layer, of the
// fastest of 5 launches, and the rate at which weights are read. What a change of ring.cu is worth shows here in
// seconds, without an engine; what it is worth in tokens takes `aloft bench`.
#define HIDDEN 4096
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <cuda.h>
#include <cuda_runtime.h>
#include "linear/cuda/ring.cu"
#include "attended-rows.cuh"
#include "measured-format.cuh"
#include "timed-graph.cuh"

constexpr int TILE_BYTES = Weights<FORMAT>::TILE_BYTES, TILE_BOXES = Weights<FORMAT>::TILE_BOXES;

// Kernels of a shape, whose boxes are twice as many where tiles are two boxes wide.
#define STORE_KERNELS(tiles, rowWarps, kWarps, boxes)                                                                 \
  RING_KERNEL(store_1_##tiles##rowWarps##kWarps##boxes, FORMAT, 1, tiles, rowWarps, kWarps, boxes* TILE_BOXES, STORE) \
  RING_KERNEL(store_2_##tiles##rowWarps##kWarps##boxes, FORMAT, 2, tiles, rowWarps, kWarps, boxes* TILE_BOXES, STORE) \
  RING_KERNEL(add_1_##tiles##rowWarps##kWarps##boxes, FORMAT, 1, tiles, rowWarps, kWarps, boxes* TILE_BOXES, ADD)     \
  RING_KERNEL(add_2_##tiles##rowWarps##kWarps##boxes, FORMAT, 2, tiles, rowWarps, kWarps, boxes* TILE_BOXES, ADD)
#define ALL_KERNELS(tiles, rowWarps, kWarps, boxes)                                                             \
  STORE_KERNELS(tiles, rowWarps, kWarps, boxes)                                                                 \
  RING_KERNEL(swiglu_1_##tiles##rowWarps##kWarps##boxes, FORMAT, 1, tiles, rowWarps, kWarps, boxes* TILE_BOXES, \
              SWIGLU)                                                                                           \
  RING_KERNEL(swiglu_2_##tiles##rowWarps##kWarps##boxes, FORMAT, 2, tiles, rowWarps, kWarps, boxes* TILE_BOXES, SWIGLU)
STORE_KERNELS(1, 1, 8, 8)
STORE_KERNELS(1, 1, 16, 16)
STORE_KERNELS(1, 3, 4, 4)
ALL_KERNELS(1, 2, 4, 4)
ALL_KERNELS(1, 2, 8, 8)
ALL_KERNELS(2, 1, 4, 4)
ALL_KERNELS(2, 1, 8, 8)
ALL_KERNELS(2, 3, 4, 4)
ALL_KERNELS(3, 2, 4, 4)

constexpr int INTER = 11008, MOST_ROWS = 16, LAYERS = 8, GRAPH_LAYERS = 32, LAUNCHES = 5, LEAD = 4, TOKENS_OF_ROW = 190;

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

static int multiprocessors;

typedef CUresult (*Encode)(CUtensorMap*, CUtensorMapDataType, cuuint32_t, void*, const cuuint64_t*, const cuuint64_t*,
                           const cuuint32_t*, const cuuint32_t*, CUtensorMapInterleave, CUtensorMapSwizzle,
                           CUtensorMapL2promotion, CUtensorMapFloatOOBfill);

// A map of [rows, columns] f16 with boxes of 64 columns, `boxes` of which are copied at once; 0: one for single boxes.
static TensorMap map_of(const void* address, int rows, int columns, int boxRows, int boxes) {
  static void* encode = nullptr;
  cudaDriverEntryPointQueryResult found;
  if (encode == nullptr)
    CHECK(cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &encode, 12000, cudaEnableDefault, &found));
  alignas(64) CUtensorMap made;
  const cuuint64_t rowBytes = (cuuint64_t)columns * 2;
  const cuuint64_t sizes[3] = {(cuuint64_t)(boxes ? 64 : columns), (cuuint64_t)rows, (cuuint64_t)columns / 64};
  const cuuint64_t strides[2] = {rowBytes, 128};
  const cuuint32_t box[3] = {64, (cuuint32_t)boxRows, (cuuint32_t)boxes}, steps[3] = {1, 1, 1};
  CHECK(((Encode)encode)(&made, CU_TENSOR_MAP_DATA_TYPE_FLOAT16, boxes ? 3 : 2, (void*)address, sizes, strides, box,
                         steps, CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
                         CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE));
  TensorMap map;
  memcpy(&map, &made, sizeof map);
  return map;
}

struct Linear {
  u8* weight;
  float* scale;
  int n, k;
  size_t bytes() const { return (size_t)n * k / (1024 * TILE_BOXES) * TILE_BYTES; }
};
// As a configuration of ring.ts; the number of groups of 8 tokens follows from the rows.
struct Shape {
  void (*store[2])(RingArgs);
  void (*add[2])(RingArgs);
  void (*swiglu[2])(RingArgs);
  int tilesPerWarp, rowWarps, kWarps, boxes, sharedKib, blocksPerMultiprocessor, lead;

  int tiles() const { return tilesPerWarp * rowWarps; }
  int warps() const { return rowWarps * kWarps + 1; }
  Shape with(int kib, int blocks, int stages = LEAD) const {
    Shape s = *this;
    s.sharedKib = kib, s.blocksPerMultiprocessor = blocks, s.lead = stages;
    return s;
  }
};
#define SHAPE(tiles, rowWarps, kWarps, boxes, ...)                                       \
  {{store_1_##tiles##rowWarps##kWarps##boxes, store_2_##tiles##rowWarps##kWarps##boxes}, \
   {add_1_##tiles##rowWarps##kWarps##boxes, add_2_##tiles##rowWarps##kWarps##boxes},     \
   {__VA_ARGS__},                                                                        \
   tiles,                                                                                \
   rowWarps,                                                                             \
   kWarps,                                                                               \
   boxes * TILE_BOXES,                                                                   \
   0,                                                                                    \
   0,                                                                                    \
   0}
#define GATED_SHAPE(tiles, rowWarps, kWarps, boxes)                                \
  SHAPE(tiles, rowWarps, kWarps, boxes, swiglu_1_##tiles##rowWarps##kWarps##boxes, \
        swiglu_2_##tiles##rowWarps##kWarps##boxes)
enum { DENSE_LAYER, GATE_LAYER, PROJ_LAYER, QKV_LAYER, LINEARS };
static const char* const NAMES[LINEARS] = {"dense", "gate", "proj", "qkv"};
struct Buffers {
  u16 *attention, *gated, *qkv, *residual, *x, *normWeight;
  float* squares;
};

// Sizes that follow from a shape and the rows, as in ring.ts.
struct Sizes {
  int groups, xRows, stage, fixed, stages;
  Sizes(const Shape& s, int rows) {
    groups = rows > 8 ? 2 : 1, xRows = rows == 1 ? 1 : rows <= 4 ? 4 : groups * 8;
    const int unit = FORMAT != DENSE && xRows == 1 ? 128 : 1024;
    const auto whole = [&](int bytes) { return (bytes + unit - 1) / unit * unit; };
    stage = whole(s.boxes / TILE_BOXES * s.tiles() * TILE_BYTES) + whole(xRows * s.boxes * 128);
    fixed = 640 + s.kWarps * s.tiles() * groups * 8 * 16 * 4;
    stages = std::min(16, (s.sharedKib * 1024 - fixed) / stage);
  }
};

// What a linear layer does beside its product.
enum Part { ADDS, GATES, STORES };

static void run_linear(const Linear& l, const Shape& s, Part part, const Buffers& b, const u16* x, u16* out, int rows) {
  const Sizes sizes(s, rows);
  RingArgs a = {};
  a.x = x, a.weight = l.weight, a.scale = l.scale, a.out = out, a.m = rows, a.n = l.n, a.k = l.k;
  a.xRows = sizes.xRows, a.xBoxCount = s.boxes, a.stageCount = sizes.stages, a.lead = s.lead;
  a.outStride = part == GATES ? l.n / 2 : l.n;
  a.xMap = map_of(x, MOST_ROWS, l.k, sizes.xRows == 1 ? 8 : sizes.xRows, s.boxes);
  if (FORMAT == DENSE) a.weightMap = map_of(l.weight, l.n, l.k, 16, 0);
  if (part == ADDS)
    a.nextNormWeight = b.normWeight, a.nextSquares = b.squares, a.residual = b.residual;
  else
    a.normWeight = b.normWeight, a.squares = b.squares, a.epsilon = 1e-5f;
  const int tileRows = s.tiles() * (part == GATES ? 8 : 16);
  const int blocks = std::min(multiprocessors * s.blocksPerMultiprocessor, (a.outStride + tileRows - 1) / tileRows);
  const auto& kernels = part == ADDS ? s.add : part == GATES ? s.swiglu : s.store;
  launch(kernels[sizes.groups - 1], blocks, s.warps() * 32, sizes.fixed + sizes.stages * sizes.stage, a);
}

struct Layer {
  Linear dense, gate, proj, qkv;
};

static void run_layer(const Layer& l, const AttendedRows& attended, int layer, const Buffers& b, const Shape* shapes,
                      int rows) {
  attended.run(layer);
  run_linear(l.dense, shapes[DENSE_LAYER], ADDS, b, b.attention, b.x, rows);
  run_linear(l.gate, shapes[GATE_LAYER], GATES, b, b.x, b.gated, rows);
  run_linear(l.proj, shapes[PROJ_LAYER], ADDS, b, b.gated, b.x, rows);
  run_linear(l.qkv, shapes[QKV_LAYER], STORES, b, b.x, b.qkv, rows);
}

// Microseconds of a layer.
static float time_layers(const Layer* layers, const AttendedRows& attended, const Buffers& b, const Shape* shapes,
                         int rows) {
  return fastest_launch(LAUNCHES,
                        [&] {
                          for (int i = 0; i < GRAPH_LAYERS; i++)
                            run_layer(layers[i % LAYERS], attended, i, b, shapes, rows);
                        }) /
         GRAPH_LAYERS;
}

static void print_shape(int linear, const Shape& s) {
  printf(" %s %d %d %d %d, %d KiB x %d, lead %d;", NAMES[linear], s.tilesPerWarp, s.rowWarps, s.kWarps, s.boxes,
         s.sharedKib, s.blocksPerMultiprocessor, s.lead);
}

// Gives one linear layer after the other the shape with which a layer takes the least time, twice.
static void search(const Layer* layers, const AttendedRows& attended, const Buffers& b, const Shape* kinds,
                   int kindCount, Shape* best, int rows) {
  const int rooms[][2] = {{224, 1}, {200, 1}, {108, 2}, {108, 1}, {90, 2}, {72, 3}, {72, 2}, {54, 4},
                          {54, 3},  {54, 2},  {43, 5},  {43, 3},  {36, 6}, {36, 4}, {36, 3}, {28, 4}};
  float least = time_layers(layers, attended, b, best, rows);
  const auto attempt = [&](int linear, const Shape& tried) {
    const Shape before = best[linear];
    best[linear] = tried;
    const float us = time_layers(layers, attended, b, best, rows);
    if (us < least - 0.05f)
      least = us;
    else
      best[linear] = before;
  };
  const auto fits = [&](const Shape& s) {
    return s.warps() * s.blocksPerMultiprocessor <= 48 && Sizes(s, rows).stages >= 2;
  };
  // Layers that share a room and a lead: what one layer alone would gain nothing from.
  for (int gate = 0; gate < kindCount; gate++)
    for (int other = 0; other < kindCount; other++)
      for (const auto& [kib, blocks] : rooms)
        for (const int lead : {2, 6, 1000}) {
          Shape tried[LINEARS];
          for (int linear = 0; linear < LINEARS; linear++)
            tried[linear] = kinds[linear == GATE_LAYER ? gate : other].with(kib, blocks, lead);
          if (kinds[gate].swiglu[0] == nullptr || !fits(tried[GATE_LAYER]) || !fits(tried[DENSE_LAYER])) continue;
          const float us = time_layers(layers, attended, b, tried, rows);
          if (us < least) least = us, std::copy(tried, tried + LINEARS, best);
        }
  printf("%2d rows, with one room for all: %.1f us;", rows, least);
  for (int linear = 0; linear < LINEARS; linear++) print_shape(linear, best[linear]);
  printf("\n");
  for (int turn = 0; turn < 2 * LINEARS; turn++) {
    const int linear = turn % LINEARS;
    for (int kind = 0; kind < kindCount; kind++)
      for (const auto& [kib, blocks] : rooms) {
        const Shape tried = kinds[kind].with(kib, blocks, best[linear].lead);
        if (fits(tried) && (linear != GATE_LAYER || tried.swiglu[0] != nullptr)) attempt(linear, tried);
      }
    for (const int lead : {0, 1, 2, 3, 4, 6, 8, 12, 1000})
      attempt(linear, best[linear].with(best[linear].sharedKib, best[linear].blocksPerMultiprocessor, lead));
  }
  printf("%2d rows, the best: %.1f us;", rows, least);
  for (int linear = 0; linear < LINEARS; linear++) print_shape(linear, best[linear]);
  printf("\n");
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
  float* squares;
  CHECK(cudaMalloc(&squares, MOST_ROWS * HIDDEN / 16 * 4));
  fill_floats<<<64, 256, 0, stream>>>(squares, MOST_ROWS * HIDDEN / 16, 16.f);
  const Buffers buffers = {acts(HIDDEN, 0.5f),
                           acts(INTER, 0.5f),
                           acts(3 * HIDDEN, 0.5f),
                           acts(HIDDEN, 0.5f),
                           acts(HIDDEN, 0.5f),
                           acts(HIDDEN, 1.f),
                           squares};
  enum { S1188, S111616, S1344, S1244, S1288, S2144, S2188, S2344, S3244 };
  const Shape kinds[] = {SHAPE(1, 1, 8, 8),       SHAPE(1, 1, 16, 16),     SHAPE(1, 3, 4, 4),
                         GATED_SHAPE(1, 2, 4, 4), GATED_SHAPE(1, 2, 8, 8), GATED_SHAPE(2, 1, 4, 4),
                         GATED_SHAPE(2, 1, 8, 8), GATED_SHAPE(2, 3, 4, 4), GATED_SHAPE(3, 2, 4, 4)};
#if defined(DENSE_WEIGHTS)
  const Shape f16All = kinds[S2188].with(224, 1);
  const Shape builtIn[2][LINEARS] = {
      {f16All, kinds[S2344].with(224, 1), f16All, f16All},
      {f16All, kinds[S3244].with(200, 1), f16All, kinds[S1288].with(224, 1)},
  };
#elif defined(INT4)
  const Shape int4Sixteen = kinds[S1288].with(200, 1);
  const Shape builtIn[2][LINEARS] = {
      {kinds[S1188].with(72, 3), kinds[S2188].with(90, 2), kinds[S1188].with(90, 2), kinds[S1244].with(54, 4)},
      {int4Sixteen, kinds[S3244].with(200, 1), int4Sixteen, int4Sixteen},
  };
#else
  const Shape int8Few = kinds[S111616].with(108, 2), int8Sixteen = kinds[S1288].with(224, 1);
  const Shape builtIn[2][LINEARS] = {
      {int8Few, kinds[S3244].with(108, 2), int8Few, kinds[S1188].with(90, 2)},
      {int8Sixteen, int8Sixteen, int8Sixteen, int8Sixteen},
  };
#endif
  const Layer& l = layers[0];
  const double bytes = (double)l.dense.bytes() + l.gate.bytes() + l.proj.bytes() + l.qkv.bytes();
  const bool isSearch = argc > 1 && strcmp(argv[1], "search") == 0;
  for (int rows : {1, 16, 4, 8, 9}) {
    const AttendedRows attended(rows, TOKENS_OF_ROW, buffers.qkv, buffers.attention);
    Shape best[LINEARS];
    std::copy(builtIn[rows > 8], builtIn[rows > 8] + LINEARS, best);
    const float us = time_layers(layers, attended, buffers, best, rows);
    printf("%2d rows: %.1f us, %.2f TB/s\n", rows, us, bytes / us / 1e6);
    if (isSearch && rows != 9) search(layers, attended, buffers, kinds, sizeof kinds / sizeof *kinds, best, rows);
    fflush(stdout);
  }
  return 0;
}
