// Linear layers over 1 to 64 rows on compute capability 9.0: one block a multiprocessor streams its share of the weights
// through a ring of shared memory with bulk copies, so that tens of kilobytes are in flight all the time.
//
// Tensor cores multiply 16 weight rows by 8 tokens. int8 tiles lie as operands (tiles.ts). The order of k inside a product is
// free as long as both operands agree, so of a dense row a thread takes 16 consecutive bytes, the k indices of two products.
// One warp fills the ring. The others form ROW_WARPS groups of rows by K_WARPS parts of each stage's k, whose sums meet in shared
// memory at the end of a tile. The order of additions depends on the kernel's shape only, never on other tokens.
//
// The ring is half of the shared memory at most: the next kernel's blocks fit beside this one's, and fill their ring with
// weights before they wait for this kernel's result.
//
// Bulk copies come in large pieces, because their rate is limited: x and dense weights as boxes of 64 k through tensor
// maps (swizzled, zeros outside the tensor), int8 weights as contiguous tiles, a single row of x as it lies. The time that x takes
// grows with its rows, so boxes have few where there are few tokens: sums of tokens beyond are not stored, whatever they are.
//
// Weights: dense [n, k] row-major; int8 in tiles of 16 rows x 64 k: [n/16][k/64][rows 0-7, 8-15][lane][16 bytes].
#include "cuda/act.cuh"
#include "cuda/async.cuh"
#include "cuda/int8.cuh"
#include "cuda/launch.cuh"
#include "cuda/memory.cuh"
#include "cuda/mma.cuh"
#include "linear/cuda/epilogue.cuh"

struct RingScalars {
  const u16* x;        // [m, k] activations
  const u8* weight;    // tiles of an int8 weight
  const float* scale;  // [n] of an int8 weight
  const u16* bias;     // [n] or null
  void* out;           // [m, outStride]
  int m, n, k, outStride, stageCount;
  int xRows;           // rows of x in a stage: 1, 4 or 8 TOKEN_GROUPS
};
struct RingArgs : RingScalars {
  TensorMap xMap;       // of x, box 64 x xRows
  TensorMap weightMap;  // of a dense weight, box 64 x 16
};
// The arguments as code uses them, see async.cuh.
struct RingView : RingScalars {
  const TensorMap *xMap, *weightMap;
};

// TOKEN_GROUPS of 8 tokens, TILES_PER_WARP of 16 rows, ROW_WARPS x K_WARPS that multiply, BOXES of 64 k in a stage.
template <bool INT8, int TOKEN_GROUPS, int TILES_PER_WARP, int ROW_WARPS, int K_WARPS, int BOXES, Epilogue EPILOGUE>
struct Ring {
  static constexpr int CONSUMERS = ROW_WARPS * K_WARPS, TILES = TILES_PER_WARP * ROW_WARPS, ROWS = TILES * 16, HALF = TILES / 2;
  static constexpr int STAGE_K = 64 * BOXES;
  static constexpr u32 TILE_BYTES = INT8 ? 1024 : 2048;  // 16 rows x 64 k
  static constexpr u32 WEIGHT_BYTES = BOXES * TILES * TILE_BYTES;
  static constexpr u32 PARTIAL_BYTES = K_WARPS * TILES * TOKEN_GROUPS * 8 * 16 * 4;

  static __device__ __forceinline__ int tile_row(const RingView& a, int blockTile, int tile) {
    if (EPILOGUE != SWIGLU) return blockTile * ROWS + tile * 16;
    return (tile < HALF ? 0 : a.n / 2 - HALF * 16) + blockTile * HALF * 16 + tile * 16;
  }

  // A stage has room for the rows of x that there are. Swizzled boxes start at multiples of 1024.
  static __device__ __forceinline__ u32 stage_bytes(const RingView& a) {
    const u32 unit = INT8 && a.xRows == 1 ? 128 : 1024;
    return WEIGHT_BYTES + (a.xRows * BOXES * 128 + unit - 1) / unit * unit;
  }

  // Bytes of x that come into a stage: whole boxes, or what there is of a single row.
  static __device__ __forceinline__ u32 x_bytes(const RingView& a, int stageIndex) {
    return a.xRows == 1 ? min(STAGE_K, a.k - stageIndex * STAGE_K) * 2 : a.xRows * BOXES * 128;
  }

  // Announces the stage's bytes and requests its weights: [tile][box] int8, [box][tile] dense.
  static __device__ __forceinline__ void fill_weights(const RingView& a, u32 stage, u32 barrier, int blockTile, int stageIndex, u64 policy) {
    const int lane = threadIdx.x & 31;
    if (INT8) {
      const int boxCount = (a.k + 63) >> 6, box0 = stageIndex * BOXES, boxes = min(BOXES, boxCount - box0);
      const int row = lane < TILES ? tile_row(a, blockTile, lane) : a.n;
      const u32 live = __ballot_sync(0xffffffffu, row < a.n);
      if (lane == 0) barrier_expect(barrier, __popc(live) * boxes * 1024 + x_bytes(a, stageIndex));
      __syncwarp();
      if (row < a.n)
        bulk_copy_once(stage + lane * BOXES * 1024, a.weight + ((size_t)(row >> 4) * boxCount + box0) * 1024, boxes * 1024, barrier, policy);
    } else {
      if (lane == 0) barrier_expect(barrier, WEIGHT_BYTES + x_bytes(a, stageIndex));
      __syncwarp();
      for (int i = lane; i < BOXES * TILES; i += 32)
        box_copy_once(stage + i * 2048, a.weightMap, (stageIndex * BOXES + i / TILES) * 64, tile_row(a, blockTile, i % TILES), barrier, policy);
    }
  }

  static __device__ __forceinline__ void fill_tokens(const RingView& a, u32 stage, u32 barrier, int stageIndex) {
    const int lane = threadIdx.x & 31;
    const u32 at = stage + WEIGHT_BYTES;
    if (a.xRows == 1) {
      if (lane == 0) bulk_copy(at, a.x + stageIndex * STAGE_K, x_bytes(a, stageIndex), barrier);
    } else if (lane < BOXES) {
      box_copy(at + lane * a.xRows * 128, a.xMap, (stageIndex * BOXES + lane) * 64, 0, barrier);
    }
  }

  // 64 k of this warp's rows by all tokens. In boxes, 16-byte piece p of the 128 bytes at address a lies at p ^ (a / 128 % 8).
  static __device__ __forceinline__ void multiply_box(const RingView& a, float (&acc)[TILES_PER_WARP][TOKEN_GROUPS][4], u32 stage, int rowWarp, int box) {
    const int lane = threadIdx.x & 31, g = lane >> 2, t = lane & 3;
    const int row = INT8 ? lane & 7 : g;  // whose address this thread gives
    const int xRow = box * a.xRows + min(row, a.xRows - 1), swizzle = a.xRows == 1 ? 0 : xRow & 7;
    Vec16 x[TOKEN_GROUPS][2];
#pragma unroll
    for (int n = 0; n < TOKEN_GROUPS; n++)
#pragma unroll
      for (int p = 0; p < 2; p++) {
        const u32 at = stage + WEIGHT_BYTES + (xRow + n * 8) * 128;
        x[n][p] = INT8 ? load_matrices(at + (((p * 4 + (lane >> 3)) ^ swizzle) << 4)) : load_shared16(at + (((p * 4 + t) ^ swizzle) << 4));
      }
#pragma unroll
    for (int r = 0; r < TILES_PER_WARP; r++) {
      const int tile = rowWarp * TILES_PER_WARP + r;
#pragma unroll
      for (int p = 0; p < (INT8 ? 1 : 2); p++) {
        const u32 at = INT8 ? stage + (tile * BOXES + box) * 1024 + lane * 16
                            : stage + (box * TILES + tile) * 2048 + g * 128 + (((p * 4 + t) ^ g) << 4);
        const Vec16 low = load_shared16(at), high = load_shared16(at + (INT8 ? 512 : 1024));
#pragma unroll
        for (int i = 0; i < (INT8 ? 4 : 2); i++) {
          u32 f[4];
          if (INT8) {
            dequantise4(low.w[i], f[0], f[2]);
            dequantise4(high.w[i], f[1], f[3]);
          } else {
            f[0] = low.w[2 * i], f[1] = high.w[2 * i], f[2] = low.w[2 * i + 1], f[3] = high.w[2 * i + 1];
          }
          const int part = INT8 ? i >> 1 : p, word = INT8 ? (i & 1) * 2 : i * 2;
#pragma unroll
          for (int n = 0; n < TOKEN_GROUPS; n++) mma16816(acc[r][n], f, x[n][part].w[word], x[n][part].w[word + 1]);
        }
      }
    }
  }

  static __device__ __forceinline__ void consumer_sync() {
    asm volatile("bar.sync 1, %0;" ::"n"(CONSUMERS * 32) : "memory");
  }

  // Adds the K_WARPS parts and stores. `partial` is [K_WARPS][tile][token][row].
  static __device__ __forceinline__ void finish_tile(const RingView& a, float* partial, int blockTile) {
    constexpr int TOKENS = TOKEN_GROUPS * 8, TILE_FLOATS = TOKENS * 16;
    constexpr int OUT_TILES = EPILOGUE == SWIGLU ? HALF : TILES;
    for (int index = threadIdx.x; index < OUT_TILES * TILE_FLOATS; index += CONSUMERS * 32) {
      const int tile = index / TILE_FLOATS, within = index % TILE_FLOATS, token = within >> 4;
      if (token >= a.m) continue;
      float sums[2];
#pragma unroll
      for (int j = 0; j < (EPILOGUE == SWIGLU ? 2 : 1); j++) {
        float sum = 0.f;
#pragma unroll
        for (int w = 0; w < K_WARPS; w++) sum += partial[(w * TILES + tile + j * HALF) * TILE_FLOATS + within];
        const int channel = tile_row(a, blockTile, tile + j * HALF) + (within & 15);
        if (channel < a.n) {
          if (INT8) sum *= __ldg(a.scale + channel);
          if (a.bias) sum += act_to_float(__ldg(a.bias + channel));
        }
        sums[j] = sum;
      }
      const int row = tile_row(a, blockTile, tile) + (within & 15);
      if (row >= (EPILOGUE == SWIGLU ? a.n / 2 : a.n)) continue;
      store_sums<EPILOGUE>(a.out, (size_t)token * a.outStride + row, sums);
    }
  }

  static __device__ __forceinline__ void run(const RingView& a) {
    extern __shared__ __align__(1024) u8 memory[];
    const int warp = threadIdx.x >> 5, lane = threadIdx.x & 31;
    const u32 stages = shared_address(memory), stageBytes = stage_bytes(a);
    float* partial = (float*)(memory + a.stageCount * stageBytes);
    const u32 full = shared_address(partial) + PARTIAL_BYTES, empty = full + 128;  // at most 16 stages
    const int stagesOfTile = (a.k + STAGE_K - 1) / STAGE_K;
    const int rowsOfBlock = EPILOGUE == SWIGLU ? ROWS / 2 : ROWS;
    const int blockTiles = ((EPILOGUE == SWIGLU ? a.n / 2 : a.n) + rowsOfBlock - 1) / rowsOfBlock;

    if (threadIdx.x == 0)
      for (int s = 0; s < a.stageCount; s++) {
        barrier_init(full + 8 * s, 1);
        barrier_init(empty + 8 * s, CONSUMERS);
      }
    // A single row can end inside of a box, where weights are zero: what follows must be no NaN.
    if (a.xRows == 1 && a.k % 64 != 0) {
      for (u32 i = threadIdx.x * 4; i < a.stageCount * stageBytes; i += blockDim.x * 4) *(u32*)(memory + i) = 0;
      shared_stores_fence();
    }
    barriers_fence();
    __syncthreads();
    allow_successor();

    if (warp == CONSUMERS) {
      const u64 policy = evict_first_policy();
      const int mine = (int)blockIdx.x < blockTiles ? (blockTiles - 1 - (int)blockIdx.x) / (int)gridDim.x + 1 : 0;
      const int total = mine * stagesOfTile;
      const int early = min(total, a.stageCount);
      for (int i = 0; i < early; i++) {
        const int tile = blockIdx.x + i / stagesOfTile * gridDim.x;
        fill_weights(a, stages + i * stageBytes, full + 8 * i, tile, i % stagesOfTile, policy);
      }
      wait_predecessor();
      for (int i = 0; i < early; i++) fill_tokens(a, stages + i * stageBytes, full + 8 * i, i % stagesOfTile);
      int slot = 0, tile = blockIdx.x + early / stagesOfTile * gridDim.x, stage = early % stagesOfTile;
      u32 parity = 0;
      for (int i = early; i < total; i++) {
        barrier_wait(empty + 8 * slot, parity);
        fill_weights(a, stages + slot * stageBytes, full + 8 * slot, tile, stage, policy);
        fill_tokens(a, stages + slot * stageBytes, full + 8 * slot, stage);
        if (++slot == a.stageCount) slot = 0, parity ^= 1;
        if (++stage == stagesOfTile) stage = 0, tile += gridDim.x;
      }
      return;
    }

    wait_predecessor();
    const int rowWarp = warp / K_WARPS, kWarp = warp % K_WARPS;
    const int boxCount = (a.k + 63) >> 6;
    int slot = 0;
    u32 parity = 0;
    for (int blockTile = blockIdx.x; blockTile < blockTiles; blockTile += gridDim.x) {
      float acc[TILES_PER_WARP][TOKEN_GROUPS][4];
#pragma unroll
      for (int r = 0; r < TILES_PER_WARP; r++)
#pragma unroll
        for (int n = 0; n < TOKEN_GROUPS; n++)
#pragma unroll
          for (int i = 0; i < 4; i++) acc[r][n][i] = 0.f;
      for (int stage = 0; stage < stagesOfTile; stage++) {
        barrier_wait(full + 8 * slot, parity);
#pragma unroll
        for (int box = kWarp; box < BOXES; box += K_WARPS)
          if (stage * BOXES + box < boxCount) multiply_box(a, acc, stages + slot * stageBytes, rowWarp, box);
        __syncwarp();
        if (lane == 0) barrier_arrive(empty + 8 * slot);
        if (++slot == a.stageCount) slot = 0, parity ^= 1;
      }
      consumer_sync();  // the previous tile's sums have been read
#pragma unroll
      for (int r = 0; r < TILES_PER_WARP; r++)
#pragma unroll
        for (int n = 0; n < TOKEN_GROUPS; n++)
#pragma unroll
          for (int i = 0; i < 4; i++) {
            const int token = n * 8 + (lane & 3) * 2 + (i & 1), row = (lane >> 2) + (i >> 1) * 8;
            partial[((kWarp * TILES + rowWarp * TILES_PER_WARP + r) * TOKEN_GROUPS * 8 + token) * 16 + row] = acc[r][n][i];
          }
      consumer_sync();
      finish_tile(a, partial, blockTile);
    }
  }
};

#define RING_KERNEL(name, INT8, TOKEN_GROUPS, TILES_PER_WARP, ROW_WARPS, K_WARPS, BOXES, EPILOGUE)                                     \
  extern "C" __global__ void __launch_bounds__((ROW_WARPS * K_WARPS + 1) * 32, 1) name(const __grid_constant__ RingArgs args) {          \
    Ring<INT8, TOKEN_GROUPS, TILES_PER_WARP, ROW_WARPS, K_WARPS, BOXES, EPILOGUE>::run({args, &args.xMap, &args.weightMap});              \
  }

// A unit includes this file and makes its kernels with RING_KERNEL lines.
