// Which tiles a block of wide.cu takes, and in which order.
#pragma once
#include "linear/cuda/epilogue.cuh"
#include "linear/cuda/wide-args.cuh"

// Work of a block: whole tiles as long as there is one for each block, then its part of the k of tiles that a cluster
// shares. A tile is ROWS weight rows (with SWIGLU, half of them gate and half of them up) by TOKEN_GROUPS of 8 tokens,
// a stage BOXES of 64 k, a cluster CLUSTER_BLOCKS blocks.
template <int ROWS, int TOKEN_GROUPS, int BOXES, int CLUSTER_BLOCKS, Epilogue EPILOGUE>
struct WideWork {
  // Tiles with the same weights are neighbours, in groups of tokens that the L2 cache holds.
  static constexpr int NEIGHBOURS = 16;
  static constexpr int GATE_ROWS = ROWS / 2;

  struct Item {
    int tile, rowTile, tokenTile, stage0, stages;
    bool isShared;
  };

  int tiles, rowTiles, tokenTiles, whole, stages;

  __device__ __forceinline__ WideWork(const WideView& a) {
    const int rowsOfBlock = EPILOGUE == SWIGLU ? GATE_ROWS : ROWS, blocks = gridDim.x,
              clusters = blocks / CLUSTER_BLOCKS;
    tokenTiles = (a.m + TOKEN_GROUPS * 8 - 1) / (TOKEN_GROUPS * 8);
    rowTiles = ((EPILOGUE == SWIGLU ? a.n / 2 : a.n) + rowsOfBlock - 1) / rowsOfBlock;
    tiles = rowTiles * tokenTiles;
    stages = (a.k + 64 * BOXES - 1) / (64 * BOXES);
    // Tiles that are left share blocks where that takes less time, and each block has a stage of them.
    const int rest = tiles % blocks;
    whole = (rest + clusters - 1) / clusters < CLUSTER_BLOCKS && stages >= CLUSTER_BLOCKS ? tiles - rest : tiles;
  }

  // First weight row of the 16 that a tile's part `part` has.
  static __device__ __forceinline__ int row_of(const WideView& a, int rowTile, int part) {
    if (EPILOGUE != SWIGLU) return rowTile * ROWS + part * 16;
    return (part * 16 < GATE_ROWS ? 0 : a.n / 2 - GATE_ROWS) + rowTile * GATE_ROWS + part * 16;
  }

  __device__ __forceinline__ Item first_item() const { return item_from(blockIdx.x); }
  __device__ __forceinline__ Item next_item(const Item& item) const {
    return item.isShared ? item_of(item.tile + gridDim.x / CLUSTER_BLOCKS, true) : item_from(item.tile + gridDim.x);
  }

  __device__ __forceinline__ Item item_from(int tile) const {
    const bool isShared = tile >= whole;
    return item_of(isShared ? whole + (int)blockIdx.x / CLUSTER_BLOCKS : tile, isShared);
  }
  __device__ __forceinline__ Item item_of(int tile, bool isShared) const {
    const int group = tile / (rowTiles * NEIGHBOURS), within = tile - group * rowTiles * NEIGHBOURS;
    const int width = max(1, min(NEIGHBOURS, tokenTiles - group * NEIGHBOURS));
    const int rank = blockIdx.x % CLUSTER_BLOCKS, stage0 = isShared ? stages * rank / CLUSTER_BLOCKS : 0;
    const int end = isShared ? stages * (rank + 1) / CLUSTER_BLOCKS : stages;
    return {tile, within / width, group * NEIGHBOURS + within % width, stage0, end - stage0, isShared};
  }
};
