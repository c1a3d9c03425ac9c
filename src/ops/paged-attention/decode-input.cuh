// Input of a unit of decode attention beside its cached tokens: queries, and the new token's key and value.
#pragma once
#include "cuda/act.cuh"
#include "cuda/memory.cuh"
#include "paged-attention/decode-lanes.cuh"
#include "paged-attention/decode-unit.cuh"
#include "paged-attention/kv-cache.cuh"

struct UnitInput {
  Rotation rotation;
  Vec16 query[GROUP], newKey, newValue;
  int newBlock;  // of the cache, for the new token
};

// Requests the new token's key and value, and where they go.
__device__ __forceinline__ void request_newest(const DecodeArgs& a, const Unit& u, int lane, UnitInput& in) {
  if (lane >= USED_LANES) return;
  const int heads = a.heads();
  const u16* source = a.qkv + (size_t)u.newToken * (heads + 2 * a.kvHeads) * HEAD_DIM;
  in.newBlock = a.blockTables[(size_t)u.row * a.maxBlocks + u.newest() / BLOCK_TOKENS];
  in.newKey = load16(source + (heads + u.kvHead) * HEAD_DIM + lane * EPL);
  in.newValue = load16(source + (heads + a.kvHeads + u.kvHead) * HEAD_DIM + lane * EPL);
}

// Requests a unit's input; the new token's part of it where the warp appends it.
__device__ __forceinline__ UnitInput request_input(const DecodeArgs& a, const Unit& u, int lane, bool hasNewest) {
  UnitInput in{};
  const u16* source = a.qkv + (size_t)u.newToken * (a.heads() + 2 * a.kvHeads) * HEAD_DIM;
  in.rotation = load_rotation(a.cosTable, a.sinTable, u.newest(), lane);
  if (lane >= USED_LANES) return in;
#pragma unroll
  for (int g = 0; g < GROUP; g++) in.query[g] = load16(source + (u.kvHead * GROUP + g) * HEAD_DIM + lane * EPL);
  if (hasNewest) request_newest(a, u, lane, in);
  return in;
}

// Rotates the new token's key, and appends key and value to the cache.
__device__ __forceinline__ void append_newest(const DecodeArgs& a, const Unit& u, const UnitInput& in, int lane,
                                              int sub, KvVector& newKey, KvVector& newValue) {
  float k[EPL];
  unpack8(in.newKey, k);
  rotate_lane(k, in.rotation, lane);
  newKey = kv_from_activations<LANES>(pack8(k));
  newValue = kv_from_activations<LANES>(in.newValue);
  if (sub == 0 && lane < USED_LANES)
    kv_store_both(a.cache, a.blockStride, a.kvHeads, in.newBlock, u.kvHead, u.newest() % BLOCK_TOKENS, lane, newKey,
                  newValue);
}

// Queries, rotated and times `scale`.
__device__ __forceinline__ void rotate_queries(const UnitInput& in, int lane, float scale, float (&q)[GROUP][EPL]) {
#pragma unroll
  for (int g = 0; g < GROUP; g++) {
    unpack8(in.query[g], q[g]);
    rotate_lane(q[g], in.rotation, lane);
#pragma unroll
    for (int i = 0; i < EPL; i++) q[g][i] *= scale;
  }
}
