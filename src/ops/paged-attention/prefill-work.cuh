// Work, tiles and rings of prefill-wgmma.cuh, which both of its halves share: the one that multiplies and the one that
// fills the rings with queries, keys and values. A tile is [half of 64 columns][token][128 bytes], swizzled as tensor
// maps write it.
#pragma once
#include "cuda/async.cuh"
#include "cuda/memory.cuh"
#include "paged-attention/kv-cache.cuh"

#define TILE 128      // queries; and keys, or values
#define WARPGROUPS 2  // that multiply
#define WARPGROUP_QUERIES (TILE / WARPGROUPS)
#define HALVES (HEAD_DIM / 64)
#define TILE_HALF_BYTES (TILE * 128)
#define TILE_BYTES (HALVES * TILE_HALF_BYTES)
#define SLOTS 2  // of each ring: queries, keys, values
static_assert(HEAD_DIM % 64 == 0 && HEAD_DIM <= 128, "see prefillKernelFor in cuda.ts");

struct WgmmaPrefillScalars {
  u16* out;                   // [tokens, heads * HEAD_DIM]
  const int* rowOffsets;      // [rows + 1]
  const int* contextLengths;  // [rows]
  const int* blockTables;     // [rows, maxBlocks]
  const int* tiles;           // [tileCount] row * 65536 + index of the group of TILE queries
  u32* taken;                 // pieces of work that blocks took after their first; zero between launches
  const int* firstKeyTiles;   // [tileCount] of the row, among the expanded ones; only where keys are expanded
  const KvElement* cache;     // of the layer, in block 0
  u64 blockStride;            // elements from one block to the next
  int firstVector;            // of the layer in block 0
  int blockVectors;           // from one block to the next
  int tileCount, heads, kvHeads, maxBlocks;
};
struct WgmmaPrefillArgs : WgmmaPrefillScalars {
  TensorMap qkvMap;    // [tokens, (heads + 2 kvHeads) * HEAD_DIM], box 64 x TILE
  TensorMap cacheMap;  // [vectors, HEAD_DIM], the whole cache of 16 bits or expanded keys and values, box 64 x rows
};
// The arguments as code uses them, see async.cuh.
struct WgmmaPrefillView : WgmmaPrefillScalars {
  const TensorMap *qkvMap, *cacheMap;
};

// A tile of queries of one head; without queries: the end.
struct PrefillWork {
  int first;  // token of the first query
  int queries;
  int position0;  // of the first query in its sequence
  int head;

  __device__ __forceinline__ int keys() const { return position0 + queries; }  // that the last query sees
  __device__ __forceinline__ int last_tile() const { return (keys() - 1) / TILE; }
};

struct PrefillShared {
  u64 queriesFull[SLOTS], queriesEmpty[SLOTS], keysFull[SLOTS], keysEmpty[SLOTS], valuesFull[SLOTS], valuesEmpty[SLOTS];
  PrefillWork work[SLOTS];  // of the queries in the same slot
  int ticket;               // index of the work that the filling warps take next
};

struct PrefillTiles {
  u32 queries, keys, values;  // [SLOTS]
};

// A slot of a ring and the parity of its round.
struct RingPlace {
  int slot;
  u32 parity;
  __device__ __forceinline__ void advance() {
    if (++slot == SLOTS) slot = 0, parity ^= 1;
  }
};

// A warp that fills rings: takes work and requests queries.
struct PrefillFiller {
  const WgmmaPrefillView& a;
  PrefillShared& shared;
  PrefillTiles tiles;
  RingPlace queryAt, keyAt, valueAt;
  const int* table;  // of the row in work
  int item;          // among the tiles of queries

  __device__ __forceinline__ PrefillWork work_at(int index) {
    PrefillWork w = {};
    if (index >= a.tileCount * a.heads) return w;
    item = index / a.heads;
    const int tile = a.tiles[item], row = tile >> 16, query0 = (tile & 0xffff) * TILE;
    const int begin = a.rowOffsets[row], newTokens = a.rowOffsets[row + 1] - begin;
    table = a.blockTables + (size_t)row * a.maxBlocks;
    w.first = begin + query0;
    w.queries = min(TILE, newTokens - query0);
    w.position0 = a.contextLengths[row] - newTokens + query0;
    w.head = index % a.heads;
    return w;
  }

  // Index of the next work; one lane calls it.
  __device__ __forceinline__ int draw() {
    const u32 taken = atomicAdd(a.taken, 1u);
    // Every block draws one ticket too many; the last of them resets the counter for the next launch.
    if (taken == (u32)(a.tileCount * a.heads) - 1) *a.taken = 0;
    return gridDim.x + taken;
  }

  __device__ __forceinline__ void fill_queries(const PrefillWork& w) {
    const int lane = threadIdx.x & 31, slot = queryAt.slot;
    const u32 filled = shared_address(shared.queriesFull + slot);
    barrier_wait(shared_address(shared.queriesEmpty + slot), queryAt.parity);
    if (lane == 0) {
      shared.work[slot] = w;
      barrier_expect(filled, w.queries > 0 ? TILE_BYTES : 0);
    }
    __syncwarp();
    // Rows after the last query belong to others: their results are not stored.
    if (w.queries > 0 && lane < HALVES)
      box_copy(tiles.queries + slot * TILE_BYTES + lane * TILE_HALF_BYTES, a.qkvMap, w.head * HEAD_DIM + lane * 64,
               w.first, filled);
    queryAt.advance();
  }
};
