// Work of decode attention: a unit is a split of a row's cached tokens and a KV head.
#pragma once
#include "cuda/memory.cuh"
#include "paged-attention/kv-cache.cuh"
#include "paged-attention/scores.cuh"

struct DecodeArgs {
  const u16* qkv;          // [tokens, (heads + 2 kvHeads) * HEAD_DIM]
  KvElement* cache;        // of the layer, in block 0
  u16* out;                // [tokens, heads * HEAD_DIM]
  const float* cosTable;   // [positions, HEAD_DIM / 2]
  const float* sinTable;   // [positions, HEAD_DIM / 2]
  const int* blockTables;  // [rows, maxBlocks]
  const int* items;        // [itemCount, 4], see unit_of
  const int* itemCount;
  float* partials;  // [items, kvHeads, GROUP, HEAD_DIM + 2]
  u32* arrivals;    // [rows, kvHeads], zero between launches
  u64 blockStride;  // elements from one block to the next
  int kvHeads, maxBlocks;
  int stageCount;  // slots of the ring of decode-ring.cu
  int teamWarps;   // warps that share a unit in decode-int8.cu
  int window;      // newest tokens that a token sees, 0 for all; heeded with HAS_WINDOW

  __device__ __forceinline__ int heads() const { return kvHeads * GROUP; }
};

struct Unit {
  int item, row, split, kvHead;
  int length;    // tokens of the row, with the new one
  int newToken;  // place of the row's token in qkv and out
  int first;     // cached token with which the split begins
  int blocks;    // of the cache
  int count;     // splits of the row
  int visible;   // first token that the new one sees

  __device__ __forceinline__ int newest() const { return length - 1; }
  // First position after the unit's blocks.
  __device__ __forceinline__ int end() const { return first + blocks * BLOCK_TOKENS; }
  __device__ __forceinline__ int splits() const { return count; }
};

// An item has all that is to be known of its row (cuda-pieces.ts): loads that follow from each other are what a short
// unit waits for. Words: row and split; splits of the row and tokens of each but the last; length; new token.
__device__ __forceinline__ Unit unit_of(const DecodeArgs& a, int item, int kvHead) {
  const Vec16 packed = load16(a.items + 4 * item);
  Unit u;
  u.item = item;
  u.kvHead = kvHead;
  u.row = packed.w[0] >> 16;
  u.split = packed.w[0] & 0xffff;
  u.count = packed.w[1] >> 16;
  u.length = packed.w[2];
  u.newToken = packed.w[3];
  const int tokens = packed.w[1] & 0xffff;
  u.first = u.split * tokens;
  u.blocks = (min(tokens, u.length - u.first) + BLOCK_TOKENS - 1) / BLOCK_TOKENS;
  u.visible = first_visible(u.length - 1, a.window);
  return u;
}

// Leaves the blocks at the begin of a unit's split out that its window hides; all of them before the window.
__device__ __forceinline__ void skip_hidden_blocks(Unit& u) {
#ifdef HAS_WINDOW
  const int skipped = min(u.blocks, max(0, u.visible - u.first) / BLOCK_TOKENS);
  u.first += skipped * BLOCK_TOKENS;
  u.blocks -= skipped;
#endif
}

__device__ __forceinline__ Unit unit_at(const DecodeArgs& a, int index) {
  Unit u = unit_of(a, index / a.kvHeads, index % a.kvHeads);
  skip_hidden_blocks(u);
  return u;
}
