// The half of prefill-wgmma.cu that copies queries, keys and values into rings of tiles in shared memory, and what both
// halves share. A tile is [half of 64 columns][token][128 bytes], swizzled as tensor maps write it.
#pragma once
#include "cuda/async.cuh"
#include "cuda/memory.cuh"

#define TILE 128      // queries; and keys, or values
#define WARPGROUPS 2  // that multiply
#define WARPGROUP_QUERIES (TILE / WARPGROUPS)
#define HALVES (HEAD_DIM / 64)
#define TILE_HALF_BYTES (TILE * 128)
#define TILE_BYTES (HALVES * TILE_HALF_BYTES)
#define SLOTS 2  // of each ring: queries, keys, values
// Rows of a box: the largest power of two that divides a cache block, so that no box leaves its block.
#define LOWEST_BIT(n) ((n) & -(n))
#define BOX_ROWS (LOWEST_BIT(BLOCK_TOKENS) < TILE ? LOWEST_BIT(BLOCK_TOKENS) : TILE)
#define BOXES (HALVES * TILE / BOX_ROWS)
static_assert(HEAD_DIM % 64 == 0 && HEAD_DIM <= 128 && BOX_ROWS >= 8, "see prefillKernelFor in cuda.ts");

struct WgmmaPrefillScalars {
  u16* out;                   // [tokens, heads * HEAD_DIM]
  const int* rowOffsets;      // [rows + 1]
  const int* contextLengths;  // [rows]
  const int* blockTables;     // [rows, maxBlocks]
  const int* tiles;           // [tileCount] row * 65536 + index of the group of TILE queries
  u32* taken;                 // pieces of work that blocks took after their first; zero between launches
  int firstVector;            // of the layer in block 0
  int blockVectors;           // from one block to the next
  int tileCount, heads, kvHeads, maxBlocks;
};
struct WgmmaPrefillArgs : WgmmaPrefillScalars {
  TensorMap qkvMap;    // [tokens, (heads + 2 kvHeads) * HEAD_DIM], box 64 x TILE
  TensorMap cacheMap;  // [vectors, HEAD_DIM], the whole cache, box 64 x BOX_ROWS
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

// One warp; each lane copies a box.
struct PrefillProducer {
  const WgmmaPrefillView& a;
  PrefillShared& shared;
  PrefillTiles tiles;
  RingPlace queryAt, keyAt, valueAt;
  const int* table;  // of the row in work

  __device__ __forceinline__ PrefillWork work_at(int index) {
    PrefillWork w = {};
    if (index >= a.tileCount * a.heads) return w;
    const int item = a.tiles[index / a.heads], row = item >> 16, query0 = (item & 0xffff) * TILE;
    const int begin = a.rowOffsets[row], newTokens = a.rowOffsets[row + 1] - begin;
    table = a.blockTables + (size_t)row * a.maxBlocks;
    w.first = begin + query0;
    w.queries = min(TILE, newTokens - query0);
    w.position0 = a.contextLengths[row] - newTokens + query0;
    w.head = index % a.heads;
    return w;
  }

  __device__ __forceinline__ PrefillWork take_work() {
    int index = 0;
    if ((threadIdx.x & 31) == 0) {
      const u32 taken = atomicAdd(a.taken, 1u);
      index = gridDim.x + taken;
      // Every block draws one ticket too many; the last of them resets the counter for the next launch.
      if (taken == (u32)(a.tileCount * a.heads) - 1) *a.taken = 0;
    }
    return work_at(__shfl_sync(0xffffffffu, index, 0));
  }

  // First vector of this lane's box of a tile of keys. Beyond the keys it is outside of the cache and reads as zeros.
  __device__ __forceinline__ int box_vector(const PrefillWork& w, int tile) const {
    const int position = tile * TILE + (threadIdx.x & 31) / HALVES * BOX_ROWS;
    if (position >= w.keys()) return -(1 << 30);
    return a.firstVector + table[position / BLOCK_TOKENS] * a.blockVectors + w.head / GROUP * BLOCK_TOKENS +
           position % BLOCK_TOKENS;
  }

  __device__ __forceinline__ void fill(RingPlace& at, u32 ring, u64* full, u64* empty, int vector) {
    const int lane = threadIdx.x & 31, half = lane % HALVES, box = lane / HALVES;
    const u32 filled = shared_address(full + at.slot);
    barrier_wait(shared_address(empty + at.slot), at.parity);
    if (lane == 0) barrier_expect(filled, TILE_BYTES);
    __syncwarp();
    if (lane < BOXES)
      box_copy(ring + at.slot * TILE_BYTES + half * TILE_HALF_BYTES + box * BOX_ROWS * 128, a.cacheMap, half * 64,
               vector, filled);
    at.advance();
  }
  __device__ __forceinline__ void fill_keys(int vector) {
    fill(keyAt, tiles.keys, shared.keysFull, shared.keysEmpty, vector);
  }
  __device__ __forceinline__ void fill_values(int keyVector) {
    fill(valueAt, tiles.values, shared.valuesFull, shared.valuesEmpty, keyVector + a.kvHeads * BLOCK_TOKENS);
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

  // Keys come a tile earlier than values, as the warpgroups want them.
  __device__ __forceinline__ void run() {
    PrefillWork w = work_at(blockIdx.x);
    while (w.queries > 0) {
      int vector = box_vector(w, 0);
      fill_keys(vector);
      fill_queries(w);
      for (int tile = 1; tile <= w.last_tile(); tile++) {
        const int next = box_vector(w, tile);
        fill_keys(next);
        fill_values(vector);
        vector = next;
      }
      w = take_work();
      fill_values(vector);
    }
    fill_queries(w);
  }
};
