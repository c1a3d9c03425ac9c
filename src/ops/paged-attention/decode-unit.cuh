// Work of decode attention: a unit is a split of a row's cached tokens and a KV head.
#pragma once
#include "paged-attention/kv-cache.cuh"
#include "paged-attention/scores.cuh"

struct DecodeArgs {
  const u16* qkv;             // [tokens, (heads + 2 kvHeads) * HEAD_DIM]
  KvElement* cache;           // of the layer, in block 0
  u16* out;                   // [tokens, heads * HEAD_DIM]
  const float* cosTable;      // [positions, HEAD_DIM / 2]
  const float* sinTable;      // [positions, HEAD_DIM / 2]
  const int* rowOffsets;      // [rows + 1]
  const int* contextLengths;  // [rows]
  const int* blockTables;     // [rows, maxBlocks]
  const int* items;           // [itemCount] row * 65536 + split of SPLIT_TOKENS cached tokens
  const int* itemCount;
  float* partials;  // [items, kvHeads, GROUP, HEAD_DIM + 2]
  u32* arrivals;    // [rows, kvHeads], zero between launches
  u64 blockStride;  // elements from one block to the next
  int kvHeads, maxBlocks;
  int stageCount;  // slots of the ring of decode-ring.cu
  int window;      // newest tokens that a token sees, 0 for all; heeded with HAS_WINDOW

  __device__ __forceinline__ int heads() const { return kvHeads * GROUP; }
};

struct Unit {
  int item, row, split, kvHead;
  int length;    // tokens of the row, with the new one
  int newToken;  // place of the row's token in qkv and out
  int first;     // cached token with which the split begins
  int blocks;    // of the cache
  int visible;   // first token that the new one sees

  __device__ __forceinline__ int newest() const { return length - 1; }
  // First position after the unit's blocks.
  __device__ __forceinline__ int end() const { return first + blocks * BLOCK_TOKENS; }
  __device__ __forceinline__ int splits() const { return (length + SPLIT_TOKENS - 1) / SPLIT_TOKENS; }
};

__device__ __forceinline__ Unit unit_of(const DecodeArgs& a, int item, int kvHead) {
  Unit u;
  u.item = item;
  u.kvHead = kvHead;
  u.row = a.items[item] >> 16;
  u.split = a.items[item] & 0xffff;
  u.length = a.contextLengths[u.row];
  u.newToken = a.rowOffsets[u.row];
  u.first = u.split * SPLIT_TOKENS;
  u.blocks = (min(SPLIT_TOKENS, u.length - u.first) + BLOCK_TOKENS - 1) / BLOCK_TOKENS;
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
