// Arguments of the kernels that rotate queries and keys and append keys and values.
#pragma once
#include "paged-attention/kv-cache.cuh"

struct RopeArgs {
  u16* qkv;                // [tokens, (heads + 2 kvHeads) * HEAD_DIM]
  KvElement* cache;        // of the layer, in block 0
  const float* cosTable;   // [positions, HEAD_DIM / 2]
  const float* sinTable;   // [positions, HEAD_DIM / 2]
  const int* positions;    // [tokens]
  const int* tokenRows;    // [tokens]
  const int* rowOffsets;   // [rows + 1]
  const int* blockTables;  // [rows, maxBlocks]
  u64 blockStride;         // elements from one block to the next
  int heads, kvHeads, maxBlocks;
};
