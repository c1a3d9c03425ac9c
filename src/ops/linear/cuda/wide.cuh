// Linear layers over 17 rows and more on compute capability 9.0, where warpgroups multiply: 64 weight rows by the
// tokens of a tile at once, weights from registers, tokens from shared memory. wide-products.cuh: in which numbers.
//
// With mma.sync (ring.cu) each warp reads every token fragment for its own 16 or 32 weight rows, and from 32 tokens on
// the time is that of reading shared memory. Here 64 weight rows share a read. A tile of bytes holds them in the
// order of the fragments, so that a thread's 16 bytes are four operands once they are dequantised, and the tokens'
// boxes are operands as they lie. So does an int4 tile, with 8 bytes; scales of groups are multiplied into operands,
// because sums of groups beside the others would take as many registers again.
//
// One warp fills the ring: a stage's weights in one copy through a tensor map of tiles, and tokens in boxes of 128
// bytes a row. The rate of copies is limited: one of 2 KB for each 16 rows took 10% more time (H200, 128 to 512 rows).
// WARPGROUPS multiply, each warp 16 rows. Where tiles are too few for all blocks, a cluster of CLUSTER_BLOCKS divides
// k, and each block adds up a part of the tile from the sums that the others wrote into its shared memory. The order of
// additions depends on the kernel's shape and on which tile it is.
#pragma once
#include "cuda/act.cuh"
#include "cuda/async.cuh"
#include "cuda/cluster.cuh"
#include "cuda/launch.cuh"
#include "cuda/memory.cuh"
#include "cuda/wgmma.cuh"
#include "linear/cuda/epilogue.cuh"
#include "linear/cuda/wide-args.cuh"
#include "linear/cuda/wide-products.cuh"
#include "linear/cuda/wide-promoted.cuh"
#include "linear/cuda/wide-store.cuh"
#include "linear/cuda/wide-work.cuh"

// TOKEN_GROUPS of 8 tokens, TILES_PER_WARP of 16 rows (64 a warpgroup), BOXES of 64 k in a stage, CLUSTER_BLOCKS that
// divide the k of a tile where tiles are too few for all blocks.
template <typename PRODUCTS, int TOKEN_GROUPS, int TILES_PER_WARP, int WARPGROUPS, int BOXES, int CLUSTER_BLOCKS,
          Epilogue EPILOGUE>
struct Wide {
  typedef PRODUCTS P;
  typedef typename P::Sum Sum;
  typedef typename P::W W;
  static_assert(W::LOADS == 1 && BOXES % W::TILE_BOXES == 0, "a load covers 64 k, and a stage has whole tiles");
  // Boxes of 64 k that a box of tokens covers.
  static constexpr int TOKEN_SPAN = P::TOKEN_BOX_K / 64, TOKEN_BOXES = BOXES / TOKEN_SPAN;
  static_assert(BOXES % TOKEN_SPAN == 0, "a stage has whole boxes of tokens");
  static constexpr int CONSUMERS = WARPGROUPS * 4, TILES = CONSUMERS * TILES_PER_WARP, HALF = TILES / 2;
  typedef WideWork<TILES * 16, TOKEN_GROUPS, BOXES, CLUSTER_BLOCKS, EPILOGUE> Work;
  typedef typename Work::Item Item;
  typedef WideStore<Work, W::IS_SCALED, EPILOGUE> Store;
  typedef typename Store::Rows Rows;
  static constexpr int STAGE_BOXES = BOXES, STAGE_TILES = BOXES / W::TILE_BOXES;
  static constexpr u32 WEIGHT_BYTES = STAGE_TILES * TILES * W::TILE_BYTES, BOX_BYTES = TOKEN_GROUPS * 1024;
  // Copies through maps start at multiples of 128, swizzled boxes at those of 1024.
  static constexpr u32 UP_PLACE = (WEIGHT_BYTES / 2 + 127) / 128 * 128;  // with SWIGLU, behind the tiles of gate
  static constexpr u32 X_PLACE = (UP_PLACE + WEIGHT_BYTES / 2 + 1023) / 1024 * 1024;
  static constexpr u32 STAGE_BYTES = X_PLACE + TOKEN_BOXES * BOX_BYTES;
  // A block of a cluster adds up the sums of its SLICE of token groups; 16 rows by a group are 4 sums a lane.
  static constexpr int SLICE = TOKEN_GROUPS / CLUSTER_BLOCKS;
  static constexpr u32 FROM_BYTES = TILES * SLICE * 512, EXCHANGE_BYTES = (CLUSTER_BLOCKS - 1) * FROM_BYTES;
  static_assert(TOKEN_GROUPS % CLUSTER_BLOCKS == 0, "slices must be equal");
  static_assert(BOXES * TILES_PER_WARP % 2 == 0, "fragments take turns");
  // More sums than an even share of the registers holds: the filling warp becomes a warpgroup that gives its own away.
  static constexpr int STAGE_SUMS = P::PROMOTES ? TOKEN_GROUPS / ((TOKEN_GROUPS + 15) / 16) : 0;  // wide-promoted.cuh
  static constexpr bool TAKES_REGISTERS = (TOKEN_GROUPS * TILES_PER_WARP + STAGE_SUMS) * WARPGROUPS > 40;
  static constexpr int THREADS = CONSUMERS * 32 + (TAKES_REGISTERS ? 128 : 32);
  static constexpr int FEW_REGISTERS = 40, EVEN_REGISTERS = 65536 / THREADS / 8 * 8;
  static constexpr int MANY_REGISTERS = (EVEN_REGISTERS * THREADS - FEW_REGISTERS * 128) / (CONSUMERS * 32) / 8 * 8;

  // Announces the stage's bytes and requests its weights, [tile][box]; tiles outside of the weight come as zeros.
  static __device__ __forceinline__ void fill_weights(const WideView& a, u32 stage, u32 barrier, int rowTile,
                                                      int stageIndex, u64 policy) {
    if ((threadIdx.x & 31) == 0) {
      barrier_expect(barrier, WEIGHT_BYTES + TOKEN_BOXES * BOX_BYTES);
      const int across = stageIndex * STAGE_TILES;
      tiles_copy_once(stage, a.weightMap, across, Work::row_of(a, rowTile, 0) >> 4, barrier, policy);
      if (EPILOGUE == SWIGLU)
        tiles_copy_once(stage + UP_PLACE, a.weightMap, across, Work::row_of(a, rowTile, HALF) >> 4, barrier, policy);
    }
    __syncwarp();
  }

  static __device__ __forceinline__ void fill_tokens(const WideView& a, u32 stage, u32 barrier, int tokenTile,
                                                     int stageIndex) {
    const int lane = threadIdx.x & 31;
    if (lane < TOKEN_BOXES)
      box_copy(stage + X_PLACE + lane * BOX_BYTES, a.xMap, (stageIndex * TOKEN_BOXES + lane) * P::TOKEN_BOX_K,
               tokenTile * TOKEN_GROUPS * 8, barrier);
  }

  // A stage of the work of a block.
  struct Cursor {
    Item item;
    int stage;
  };
  static __device__ __forceinline__ void advance(const Work& work, Cursor& at) {
    if (++at.stage < at.item.stages) return;
    at.stage = 0;
    at.item = work.next_item(at.item);
  }

  // The filling warp: weights of as many stages as the ring has before the predecessor's result is there.
  static __device__ __forceinline__ void fill(const WideView& a, const Work& work, u32 ring, u32 full, u32 empty) {
    const u64 policy = evict_first_policy();
    const auto weights = [&](const Cursor& at, int slot) {
      fill_weights(a, ring + slot * STAGE_BYTES, full + 8 * slot, at.item.rowTile, at.item.stage0 + at.stage, policy);
    };
    const auto tokens = [&](const Cursor& at, int slot) {
      fill_tokens(a, ring + slot * STAGE_BYTES, full + 8 * slot, at.item.tokenTile, at.item.stage0 + at.stage);
    };
    const Cursor start = {work.first_item(), 0};
    Cursor at = start;
    int early = 0;
    for (; early < a.stageCount && at.item.tile < work.tiles; early++, advance(work, at)) weights(at, early);
    wait_predecessor();
    at = start;
    for (int slot = 0; slot < early; slot++, advance(work, at)) tokens(at, slot);
    int slot = 0;
    u32 parity = 0;
    for (; at.item.tile < work.tiles; advance(work, at)) {
      barrier_wait(empty + 8 * slot, parity);
      weights(at, slot);
      tokens(at, slot);
      if (++slot == a.stageCount) slot = 0, parity ^= 1;
    }
  }

  // 64 k of 16 rows: the operands of their products. With SWIGLU, 8 rows of gate and the 8 of up that belong to them.
  static __device__ __forceinline__ void load_fragments(u32 (&f)[P::COUNT][4], u32 stage, int tile, int box) {
    const int across = box / W::TILE_BOXES, within = box % W::TILE_BOXES;
    const bool isGated = EPILOGUE == SWIGLU;
    const u32 at = W::tile_address(stage, isGated ? tile >> 1 : tile, TILES, across, STAGE_TILES);
    const typename W::ScaledRows low = W::load_scaled(at, within, isGated ? tile & 1 : 0),
                                 high = W::load_scaled(isGated ? at + UP_PLACE : at, within, isGated ? tile & 1 : 1);
#pragma unroll
    for (int i = 0; i < P::COUNT; i++) P::fragment(f[i], low, high, i);
  }

  // Operand of the tokens of 64 k, which in bytes are half of the 128 that a row of a box has.
  static __device__ __forceinline__ u64 tokens_of(u32 stage, int box) {
    return wgmma_matrix(stage + X_PLACE + box / TOKEN_SPAN * BOX_BYTES, 1024, 16) + box % TOKEN_SPAN * 4;
  }

  // While the products of 64 k run, the next weights are made operands.
  static __device__ __forceinline__ void multiply_tile(Sum (&acc)[TILES_PER_WARP][TOKEN_GROUPS * 4], const WideView& a,
                                                       int stages, u32 ring, u32 full, u32 empty, int& slot,
                                                       u32& parity) {
    const int warp = threadIdx.x >> 5, lane = threadIdx.x & 31;
#pragma unroll
    for (int r = 0; r < TILES_PER_WARP; r++)
#pragma unroll
      for (int i = 0; i < TOKEN_GROUPS * 4; i++) acc[r][i] = 0;
    u32 fragments[2][P::COUNT][4];
    int last = -1;  // the slot that running products read
    for (int stage = 0; stage < stages; stage++) {
      const u32 at = ring + slot * STAGE_BYTES;
      barrier_wait(full + 8 * slot, parity);
#pragma unroll
      for (int box = 0; box < BOXES; box++) {
        const u64 b = tokens_of(at, box);
#pragma unroll
        for (int r = 0; r < TILES_PER_WARP; r++) {
          u32(&f)[P::COUNT][4] = fragments[(box * TILES_PER_WARP + r) & 1];
          load_fragments(f, at, warp * TILES_PER_WARP + r, box);
          wgmma_begin();
#pragma unroll
          for (int i = 0; i < P::COUNT; i++) P::add(acc[r], f[i], b + i * 2);
          wgmma_commit();
          wgmma_wait<1>();
          if (box == 0 && r == 0 && lane == 0 && last >= 0) barrier_arrive(empty + 8 * last);
        }
      }
      last = slot;
      if (++slot == a.stageCount) slot = 0, parity ^= 1;
    }
    wgmma_wait<0>();
    if (lane == 0 && last >= 0) barrier_arrive(empty + 8 * last);
  }

  // Sums of a group of 8 tokens, as WideStore::group has them, in the order of wgmma.cuh.
  static __device__ __forceinline__ void store(const WideView& a, const Rows& rows, int token0, const Sum (&sums)[4]) {
    float values[4];
    P::values(a, token0 + (threadIdx.x & 3) * 2, sums, values);
    Store::group(a, rows, token0, values);
  }

  // Adds up the sums of a cluster's blocks in the order of their parts of k, each block those of its slice of tokens,
  // and stores them. A warp waits for the same warp of the other blocks. An exchange completes a phase of both of its
  // barriers.
  static __device__ __forceinline__ void exchange(const WideView& a, const Sum (&acc)[TILES_PER_WARP][TOKEN_GROUPS * 4],
                                                  const Rows (&rows)[TILES_PER_WARP], u32 sums, u32 written, u32 read,
                                                  u32& parity, int token0) {
    const int warp = threadIdx.x >> 5, lane = threadIdx.x & 31, rank = cluster_rank();
    const u32 mine = sums + warp * TILES_PER_WARP * SLICE * 512 + lane * 16;
    cluster_wait(read + 8 * warp, parity ^ 1);  // the others have read what this warp wrote in the exchange before
#pragma unroll
    for (int to = 0; to < CLUSTER_BLOCKS; to++) {
      if (to == rank) continue;
      const u32 target = address_in_block(mine + (rank < to ? rank : rank - 1) * FROM_BYTES, to);
#pragma unroll
      for (int r = 0; r < TILES_PER_WARP; r++)
#pragma unroll
        for (int j = 0; j < SLICE; j++) {
          const Sum* v = acc[r] + (to * SLICE + j) * 4;
          cluster_store(target + (r * SLICE + j) * 512, v[0], v[1], v[2], v[3]);
        }
    }
    __syncwarp();
    if (lane < CLUSTER_BLOCKS && lane != rank) cluster_arrive(address_in_block(written + 8 * warp, lane));
    cluster_wait(written + 8 * warp, parity);
#pragma unroll
    for (int r = 0; r < TILES_PER_WARP; r++)
#pragma unroll
      for (int j = 0; j < SLICE; j++) {
        Sum own[4], total[4] = {0, 0, 0, 0};
#pragma unroll
        for (int part = 0; part < CLUSTER_BLOCKS; part++)
#pragma unroll
          for (int i = 0; i < 4; i++) own[i] = part == 0 || part == rank ? acc[r][(part * SLICE + j) * 4 + i] : own[i];
#pragma unroll
        for (int from = 0; from < CLUSTER_BLOCKS; from++) {
          const Vec16 v =
              load_shared16(mine + (from < rank ? from : max(from - 1, 0)) * FROM_BYTES + (r * SLICE + j) * 512);
#pragma unroll
          for (int i = 0; i < 4; i++) total[i] += from == rank ? own[i] : sum_of_bits(v.w[i], own[i]);
        }
        store(a, rows[r], token0 + (rank * SLICE + j) * 8, total);
      }
    __syncwarp();
    if (lane < CLUSTER_BLOCKS && lane != rank) cluster_arrive(address_in_block(read + 8 * warp, lane));
    parity ^= 1;
  }

  static __device__ __forceinline__ void run(const WideView& a) {
    extern __shared__ __align__(1024) u8 memory[];
    const int warp = threadIdx.x >> 5;
    const u32 ring = shared_address(memory);  // swizzling counts on multiples of 1024
    const u32 sums = ring + a.stageCount * STAGE_BYTES;
    const u32 full = sums + EXCHANGE_BYTES, empty = full + 128;  // at most 16 stages
    const u32 written = empty + 128, read = written + 8 * CONSUMERS;
    const Work work(a);

    if (threadIdx.x == 0) {
      for (int s = 0; s < a.stageCount; s++) {
        barrier_init(full + 8 * s, 1);
        barrier_init(empty + 8 * s, CONSUMERS);
      }
      for (int w = 0; CLUSTER_BLOCKS > 1 && w < CONSUMERS; w++) {
        barrier_init(written + 8 * w, CLUSTER_BLOCKS - 1);
        barrier_init(read + 8 * w, CLUSTER_BLOCKS - 1);
      }
    }
    barriers_fence();
    if (CLUSTER_BLOCKS > 1)
      cluster_sync();
    else
      __syncthreads();
    allow_successor();

    if (warp >= CONSUMERS) {
      if constexpr (TAKES_REGISTERS) give_registers<FEW_REGISTERS>();
      if (warp == CONSUMERS) fill(a, work, ring, full, empty);
    } else {
      if constexpr (TAKES_REGISTERS) take_registers<MANY_REGISTERS>();
      wait_predecessor();
      int slot = 0;
      u32 parity = 0, exchangeParity = 0;
      for (Item item = work.first_item(); item.tile < work.tiles; item = work.next_item(item)) {
        const int token0 = item.tokenTile * TOKEN_GROUPS * 8;
        Rows rows[TILES_PER_WARP];
#pragma unroll
        for (int r = 0; r < TILES_PER_WARP; r++)
          rows[r] = Store::rows_of_tile(a, item.rowTile, warp * TILES_PER_WARP + r);
        Sum acc[TILES_PER_WARP][TOKEN_GROUPS * 4];
        if constexpr (P::PROMOTES)
          multiply_promoted<Wide>(acc, a, item.stages, ring, full, empty, slot, parity);
        else
          multiply_tile(acc, a, item.stages, ring, full, empty, slot, parity);
        if (CLUSTER_BLOCKS > 1 && item.isShared) {
          exchange(a, acc, rows, sums, written, read, exchangeParity, token0);
          continue;
        }
#pragma unroll
        for (int r = 0; r < TILES_PER_WARP; r++)
#pragma unroll
          for (int j = 0; j < TOKEN_GROUPS; j++) {
            const Sum group[4] = {acc[r][4 * j], acc[r][4 * j + 1], acc[r][4 * j + 2], acc[r][4 * j + 3]};
            store(a, rows[r], token0 + j * 8, group);
          }
      }
    }
    if (CLUSTER_BLOCKS > 1) {
      __syncwarp();
      cluster_sync();  // no block ends before the others have written into it
    }
  }
};
