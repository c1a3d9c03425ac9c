// Decode attention of a layer as a step of layer.cu has it: rows of one length over an int8 cache, or a 16-bit one with
// -DKV_16BIT, with LLaMA-2-7B's heads. Caches are zeros; four layers have their own.
#pragma once
#ifndef KV_16BIT
#define KV_INT8 1
#endif
#define HEAD_DIM 128
#define GROUP 1
#define BLOCK_TOKENS 16
#define INT8_SLOT_BLOCKS 2
#define INT8_WARPS 6
#define INT8_TEAMS 1
#include <algorithm>
#include <numeric>
#include <random>
#include <vector>
#include "paged-attention/decode-ring.cu"
#ifdef KV_INT8
#include "paged-attention/decode-int8.cu"
#endif
#include "timed-graph.cuh"

constexpr int HEADS = 32, CACHED_LAYERS = 4, MOST_BLOCKS = 256;

class AttendedRows {
  DecodeArgs args = {};
  int rows, units;

  template <typename T>
  static T* on_device(size_t bytes) {
    void* p;
    CHECK(cudaMalloc(&p, bytes));
    CHECK(cudaMemset(p, 0, bytes));
    return (T*)p;
  }
  static const int* copied(const std::vector<int>& words) {
    int* p = on_device<int>(words.size() * 4);
    CHECK(cudaMemcpy(p, words.data(), words.size() * 4, cudaMemcpyHostToDevice));
    return p;
  }
  static int head_elements() { return RING_STAGE_BYTES / sizeof(KvElement); }

public:
  AttendedRows(int rowCount, int tokens, const u16* qkv, u16* out) : rows(rowCount) {
    const int blocks = rows * ((tokens + BLOCK_TOKENS - 1) / BLOCK_TOKENS);
    // As cuda-decode.ts cuts rows: more than 8 in one piece each, which three warps share.
    const int count = rows <= 8 ? 4 : 1;
    const int piece = std::max(256, (tokens + count * BLOCK_TOKENS - 1) / (count * BLOCK_TOKENS) * BLOCK_TOKENS);
    const int pieces = (tokens + piece - 1) / piece;
    std::vector<int> items, order(blocks), table(rows * MOST_BLOCKS, 0);
    for (int row = 0; row < rows; row++)
      for (int i = 0; i < pieces; i++)
        for (const int word : {row << 16 | i, pieces << 16 | piece, tokens, row}) items.push_back(word);
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), std::mt19937(1));
    for (int i = 0; i < blocks; i++) table[i % rows * MOST_BLOCKS + i / rows] = order[i];
    units = rows * pieces * HEADS;
    args.qkv = qkv, args.out = out;
    args.blockStride = (u64)CACHED_LAYERS * HEADS * head_elements();
    args.cache = on_device<KvElement>((size_t)blocks * args.blockStride * sizeof(KvElement));
    args.cosTable = on_device<float>((tokens + 1) * HEAD_DIM * 2);
    args.sinTable = on_device<float>((tokens + 1) * HEAD_DIM * 2);
    args.partials = on_device<float>((size_t)units * (HEAD_DIM + 2) * 4);
    args.arrivals = on_device<u32>(rows * HEADS * 4);
    args.items = copied(items), args.itemCount = copied({rows * pieces}), args.blockTables = copied(table);
    args.teamWarps = 3;
    args.kvHeads = HEADS, args.maxBlocks = MOST_BLOCKS;
  }
  AttendedRows(const AttendedRows&) = delete;
  ~AttendedRows() {
    for (const void* p : {(const void*)args.cache, (const void*)args.cosTable, (const void*)args.sinTable,
                          (const void*)args.partials, (const void*)args.arrivals, (const void*)args.items,
                          (const void*)args.itemCount, (const void*)args.blockTables})
      CHECK(cudaFree((void*)p));
  }

  void run(int layer) const {
    DecodeArgs a = args;
    a.cache += (size_t)(layer % CACHED_LAYERS) * HEADS * head_elements();
    const int blocks = std::min(units, 2 * 132);
#ifdef KV_INT8
    if (rows > 8) {
      launch(attention_decode_int8_teams, blocks, INT8_WARPS * 32, INT8_WARPS * SLOTS * SLOT_BYTES, a);
      return;
    }
#endif
    a.stageCount = (96 << 10) / RING_STAGE_BYTES / DECODE_WARPS * DECODE_WARPS;
    launch(attention_decode_ring, blocks, (DECODE_WARPS + 1) * 32, a.stageCount * RING_STAGE_BYTES, a);
  }
};
