// Linear layers over 1 to 64 rows on compute capability 9.0 and 10.x: each block streams its share of the weights
// through a ring of shared memory with bulk copies, so that a multiprocessor, on which one block or several lie
// (ring-shapes.ts), has tens of kilobytes in flight all the time.
//
// Tensor cores multiply 16 weight rows by 8 tokens; weights.cuh says how formats of weights become operands. One warp
// fills the ring. The others form ROW_WARPS groups of rows by K_WARPS parts of each stage's k, whose sums meet in
// shared memory at the end of a tile. The order of additions depends on the kernel's shape only, never on other tokens.
//
// The next kernel's blocks fill their rings with weights before they wait for this kernel's result. They start when
// this kernel has requested nearly all of its own (`lead`): before, copies of both would share the bus for nothing.
//
// Bulk copies come in large pieces, because their rate is limited: x and dense weights as boxes of 64 k through tensor
// maps (swizzled, zeros outside the tensor), x as all boxes of a stage at once, quantised weights as contiguous tiles,
// a single row of x as it lies. The time that x takes grows with its rows, so boxes have few where there are few
// tokens: sums of tokens beyond are not stored, whatever they are.
#include "cuda/act.cuh"
#include "cuda/async.cuh"
#include "cuda/launch.cuh"
#include "cuda/memory.cuh"
#include "cuda/mma.cuh"
#include "linear/cuda/epilogue.cuh"
#include "linear/cuda/ring-results.cuh"
#include "linear/cuda/sums.cuh"
#include "linear/cuda/weights.cuh"

struct RingScalars {
  const u16* x;        // [m, k] activations
  const u8* weight;    // tiles of a quantised weight
  const float* scale;  // [n] of an int8 or fp8 weight
  const u16* bias;     // [n] or null
  void* out;           // [m, outStride]
  int m, n, k, outStride, stageCount;
  int xRows;      // rows of x in a stage: 1, 4 or 8 TOKEN_GROUPS
  int xBoxCount;  // boxes of x that a copy brings: 1, or all of a stage
  int lead;       // stages that a block has not requested yet when the next kernel may start
};
struct RingArgs : RingScalars {
  TensorMap xMap;       // of x, boxes 64 x xRows
  TensorMap weightMap;  // of a dense weight, box 64 x 16
  // Norms before and after the layer; null pointers: there is none.
  const u16* normWeight;      // [k] of the norm before
  const float* squares;       // [m, k / 16] sums of 16 columns each, for the norm before
  const u16* nextNormWeight;  // [n] of the norm after
  float* nextSquares;         // [m, n / 16]
  u16* residual;              // [m, n], with ADD
  float epsilon;              // of the norm before
};
// The arguments as code uses them, see async.cuh.
struct RingView : RingScalars {
  const TensorMap *xMap, *weightMap;
  const RingArgs* norms;
};

// TOKEN_GROUPS of 8 tokens, TILES_PER_WARP of 16 rows, ROW_WARPS x K_WARPS that multiply, BOXES of 64 k in a stage.
template <WeightFormat FORMAT, int TOKEN_GROUPS, int TILES_PER_WARP, int ROW_WARPS, int K_WARPS, int BOXES,
          Epilogue EPILOGUE>
struct Ring {
  typedef RingView View;
  typedef Weights<FORMAT> W;
  static constexpr int PARTS = K_WARPS, CONSUMERS = ROW_WARPS * K_WARPS, TILES = TILES_PER_WARP * ROW_WARPS,
                       ROWS = TILES * 16, HALF = TILES / 2;
  static constexpr int STAGE_BOXES = BOXES, STAGE_TILES = BOXES / W::TILE_BOXES, STAGE_K = 64 * BOXES;
  static_assert(BOXES % W::TILE_BOXES == 0, "a stage has whole tiles");
  static constexpr int OUT_ROWS = EPILOGUE == SWIGLU ? ROWS / 2 : ROWS;
  static constexpr u32 WEIGHT_BYTES = STAGE_TILES * TILES * W::TILE_BYTES;
  static constexpr int TOKENS = TOKEN_GROUPS * 8;
  static constexpr u32 PARTIAL_BYTES = K_WARPS * TILES * TOKENS * 16 * 4;
  typedef NormRoom<CONSUMERS, TOKENS> Room;
  typedef RingResults<Ring, EPILOGUE, OUT_ROWS * TOKENS, CONSUMERS * 32> Results;

  static __device__ __forceinline__ int out_rows(const RingView& a) { return EPILOGUE == SWIGLU ? a.n / 2 : a.n; }

  static __device__ __forceinline__ int tile_row(const RingView& a, int blockTile, int tile) {
    if (EPILOGUE != SWIGLU) return blockTile * ROWS + tile * 16;
    return (tile < HALF ? 0 : a.n / 2 - HALF * 16) + blockTile * HALF * 16 + tile * 16;
  }

  // A stage has room for the rows of x that there are. Swizzled boxes start at multiples of 1024.
  static __device__ __forceinline__ u32 unit_of(const RingView& a) { return a.xRows == 1 ? W::X_ALIGNMENT : 1024; }
  static __device__ __forceinline__ u32 weight_room(const RingView& a) {
    const u32 unit = WEIGHT_BYTES % 1024 == 0 ? 1024 : unit_of(a);
    return (WEIGHT_BYTES + unit - 1) / unit * unit;
  }
  static __device__ __forceinline__ u32 stage_bytes(const RingView& a) {
    const u32 unit = unit_of(a);
    return weight_room(a) + (a.xRows * BOXES * 128 + unit - 1) / unit * unit;
  }

  // Bytes of x that come into a stage: whole boxes, or what there is of a single row.
  static __device__ __forceinline__ u32 x_bytes(const RingView& a, int stageIndex) {
    return a.xRows == 1 ? min(STAGE_K, a.k - stageIndex * STAGE_K) * 2 : a.xRows * BOXES * 128;
  }

  static __device__ __forceinline__ void fill_tokens(const RingView& a, u32 stage, u32 barrier, int stageIndex) {
    const int lane = threadIdx.x & 31;
    const u32 at = stage + weight_room(a);
    if (a.xRows == 1) {
      if (lane == 0) bulk_copy(at, a.x + stageIndex * STAGE_K, x_bytes(a, stageIndex), barrier);
    } else if (a.xBoxCount == BOXES) {
      if (lane == 0) boxes_copy(at, a.xMap, stageIndex * BOXES, 0, barrier);
    } else if (lane < BOXES) {
      box_copy(at + lane * a.xRows * 128, a.xMap, (stageIndex * BOXES + lane) * 64, 0, barrier);
    }
  }

  // The filling warp: weights of as many stages as the ring has before the predecessor's result is there.
  static __device__ __forceinline__ void fill(const RingView& a, u32 stages, u32 stageBytes, u32 full, u32 empty,
                                              int blockTiles) {
    const u64 policy = evict_first_policy();
    const int stagesOfTile = (a.k + STAGE_K - 1) / STAGE_K;
    const int mine = (int)blockIdx.x < blockTiles ? (blockTiles - 1 - (int)blockIdx.x) / (int)gridDim.x + 1 : 0;
    const int total = mine * stagesOfTile;
    const int early = min(total, a.stageCount);
    if (total - early <= a.lead) allow_successor();
    int tile = blockIdx.x, stage = 0;
    for (int i = 0; i < early; i++) {
      W::template fill_stage<Ring>(a, stages + i * stageBytes, full + 8 * i, tile, stage, policy);
      if (++stage == stagesOfTile) stage = 0, tile += gridDim.x;
    }
    wait_predecessor();
    for (int i = 0, xStage = 0; i < early; i++) {
      fill_tokens(a, stages + i * stageBytes, full + 8 * i, xStage);
      if (++xStage == stagesOfTile) xStage = 0;
    }
    int slot = 0;
    u32 parity = 0;
    for (int i = early; i < total; i++) {
      if (total - i == a.lead) allow_successor();
      barrier_wait(empty + 8 * slot, parity);
      W::template fill_stage<Ring>(a, stages + slot * stageBytes, full + 8 * slot, tile, stage, policy);
      fill_tokens(a, stages + slot * stageBytes, full + 8 * slot, stage);
      if (++slot == a.stageCount) slot = 0, parity ^= 1;
      if (++stage == stagesOfTile) stage = 0, tile += gridDim.x;
    }
  }

  // Where a warp's lanes find their parts of a stage, in bytes from its start. Worked out once: for every stage it
  // would take as many operations as some of its products.
  struct Places {
    u32 rows, scales, tokens;
    u32 turn;  // of the swizzle, in every second box

    __device__ __forceinline__ Places(const RingView& a, int rowWarp, int kWarp) {
      const u32 tile = W::tile_address(0, rowWarp * TILES_PER_WARP, TILES, kWarp, STAGE_TILES);
      rows = kept(tile + W::lane_place());
      scales = kept(tile + W::scale_place());
      const int row = kWarp * W::TILE_BOXES * a.xRows + min(W::token_row(), a.xRows - 1);
      tokens = kept(weight_room(a) + row * 128 + W::token_place(a.xRows == 1 ? 0 : row & 7));
      turn = kept(a.xRows == 4 ? 64u : 0u);
    }
  };

  // 64 k of this warp's rows by all tokens: box `box` of the tiles that lie `across` after the warp's first. In boxes
  // of x, 16-byte piece p of the 128 bytes at address a lies at p ^ (a / 128 % 8).
  static __device__ __forceinline__ void multiply_box(const RingView& a, Sums<TOKEN_GROUPS> (&sums)[TILES_PER_WARP],
                                                      u32 stage, const Places& places, int across, int box) {
    const int xBox = across * W::TILE_BOXES + box;
    const u32 tokens = (stage + places.tokens + xBox * a.xRows * 128) ^ (xBox & 1 ? places.turn : 0);
    Vec16 x[TOKEN_GROUPS][2];
#pragma unroll
    for (int n = 0; n < TOKEN_GROUPS; n++)
#pragma unroll
      for (int half = 0; half < 2; half++) x[n][half] = W::load_tokens((tokens ^ (half << 6)) + n * 1024);
#pragma unroll
    for (int r = 0; r < TILES_PER_WARP; r++) {
      const u32 tile = W::tile_address(stage, r, TILES, across, STAGE_TILES);
#pragma unroll
      for (int load = 0; load < W::LOADS; load++) {
        const typename W::Rows low = W::load_rows(tile + places.rows, box, load, 0),
                               high = W::load_rows(tile + places.rows, box, load, 1);
#pragma unroll
        for (int i = 0; i < W::PRODUCTS; i++) {
          u32 f[4];
          W::fragment(f, low, high, i);
          const int product = load * W::PRODUCTS + i;
          sums[r].template add<W>(f, x, product, box * 4 + product, tile + places.scales);
        }
      }
    }
  }

  static __device__ __forceinline__ void consumer_sync() { sync_threads<CONSUMERS * 32>(); }

  // A sum's place in a tile of `partial`: [token][row]. With several groups rows are turned so that a warp's stores
  // meet all banks; with one that takes registers which cost more than its few stores.
  static __device__ __forceinline__ int sum_place(int token, int row) {
    return (token * 16 + row) ^ (TOKEN_GROUPS > 1 ? (token >> 1 & 3) << 3 : 0);
  }

  // Puts a warp's sums into `partial`, [K_WARPS][tile][sum_place].
  static __device__ __forceinline__ void put_sums(const Sums<TOKEN_GROUPS> (&sums)[TILES_PER_WARP], float* partial,
                                                  int rowWarp, int kWarp) {
    const int lane = threadIdx.x & 31;
#pragma unroll
    for (int r = 0; r < TILES_PER_WARP; r++)
#pragma unroll
      for (int n = 0; n < TOKEN_GROUPS; n++)
#pragma unroll
        for (int i = 0; i < 4; i++) {
          const int token = n * 8 + (lane & 3) * 2 + (i & 1), row = (lane >> 2) + (i >> 1) * 8;
          partial[(kWarp * TILES + rowWarp * TILES_PER_WARP + r) * TOKENS * 16 + sum_place(token, row)] =
              sums[r].all[n][i];
        }
  }

  // Work for norms: on their weights before the predecessor has ended, on the residual after it has.
  static __device__ __forceinline__ void prepare_norms(const RingView& a, Room& room) {
    const RingArgs& norms = *a.norms;
    float range = 1.f;
    if (norms.squares != nullptr) range = range_of_weights(norms.normWeight, a.k, room.largest);
    if (EPILOGUE == ADD) {
      const float next = range_of_weights(norms.nextNormWeight, a.n, room.largest);
      if (threadIdx.x == 0) room.range = next;
    }
    wait_predecessor();
    if (norms.squares != nullptr) find_inverses<CONSUMERS>(norms, a.m, a.k, range, room.inverse);
  }

  // The warps that multiply.
  static __device__ __forceinline__ void multiply(const RingView& a, u32 stages, u32 stageBytes, u32 full, u32 empty,
                                                  float* partial, const Room& room, int blockTiles) {
    const int warp = threadIdx.x >> 5, rowWarp = warp / K_WARPS, kWarp = warp % K_WARPS;
    const int stagesOfTile = (a.k + STAGE_K - 1) / STAGE_K, tileCount = W::tiles_of(a.k) - kWarp;
    const Places places(a, rowWarp, kWarp);
    int slot = 0;
    u32 parity = 0, at = stages;
    for (int blockTile = blockIdx.x; blockTile < blockTiles; blockTile += gridDim.x) {
      Sums<TOKEN_GROUPS> sums[TILES_PER_WARP];
#pragma unroll
      for (int r = 0; r < TILES_PER_WARP; r++) sums[r].clear();
      Results results;
      results.request(a, blockTile);
#pragma unroll 1
      for (int stage = 0; stage < stagesOfTile; stage++) {
        barrier_wait(full + 8 * slot, parity);
#pragma unroll
        for (int across = 0; across < STAGE_TILES; across += K_WARPS)
          if (kWarp + across < STAGE_TILES && stage * STAGE_TILES + across < tileCount)
#pragma unroll
            for (int box = 0; box < W::TILE_BOXES; box++) multiply_box(a, sums, at, places, across, box);
        __syncwarp();
        if ((threadIdx.x & 31) == 0) barrier_arrive(empty + 8 * slot);
        at += stageBytes;
        if (++slot == a.stageCount) slot = 0, parity ^= 1, at = stages;
      }
      consumer_sync();  // the previous tile's sums have been read
      put_sums(sums, partial, rowWarp, kWarp);
      consumer_sync();
      results.finish(a, blockTile, partial, room);
    }
  }

  static __device__ __forceinline__ void run(const RingView& a) {
    extern __shared__ __align__(1024) u8 memory[];
    const u32 stages = kept(shared_address(memory)), stageBytes = stage_bytes(a);
    float* partial = (float*)(memory + a.stageCount * stageBytes);
    const u32 full = shared_address(partial) + PARTIAL_BYTES, empty = full + 128;  // at most 16 stages
    Room& room = *(Room*)((u8*)partial + PARTIAL_BYTES + 256);
    const int blockTiles = (out_rows(a) + OUT_ROWS - 1) / OUT_ROWS;
    if (threadIdx.x == 0)
      for (int s = 0; s < a.stageCount; s++) {
        barrier_init(full + 8 * s, 1);
        barrier_init(empty + 8 * s, CONSUMERS);
      }
    // A single row can end inside of a tile, where weights are zero: what follows must be no NaN.
    if (a.xRows == 1 && a.k % (64 * W::TILE_BOXES) != 0) {
      for (u32 i = threadIdx.x * 4; i < a.stageCount * stageBytes; i += blockDim.x * 4) *(u32*)(memory + i) = 0;
      shared_stores_fence();
    }
    barriers_fence();
    __syncthreads();
    if (threadIdx.x >> 5 == CONSUMERS) {
      fill(a, stages, stageBytes, full, empty, blockTiles);
    } else {
      prepare_norms(a, room);
      multiply(a, stages, stageBytes, full, empty, partial, room, blockTiles);
    }
  }
};

#define RING_KERNEL(name, FORMAT, TOKEN_GROUPS, TILES_PER_WARP, ROW_WARPS, K_WARPS, BOXES, EPILOGUE) \
  extern "C" __global__ void __launch_bounds__((ROW_WARPS * K_WARPS + 1) * 32, 1)                    \
      name(const __grid_constant__ RingArgs args) {                                                  \
    Ring<FORMAT, TOKEN_GROUPS, TILES_PER_WARP, ROW_WARPS, K_WARPS, BOXES, EPILOGUE>::run(            \
        {args, &args.xMap, &args.weightMap, &args});                                                 \
  }

// A unit includes this file and makes its kernels with RING_KERNEL lines.
