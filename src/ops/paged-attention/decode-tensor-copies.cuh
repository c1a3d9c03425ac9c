// Slots of shared memory of decode-tensor.cu, and the copies into them. A slot holds TOKENS tokens of a unit: their
// keys, then their values, a vector after the other as in the cache. Vectors are multiples of 128 bytes long, so the
// same place of every vector lies in the same banks; pieces of 16 bytes therefore change places by their token, such
// that those which the tensor cores' operands take at once lie in different banks.
#pragma once
#include "cuda/copy-async.cuh"
#include "paged-attention/decode-unit.cuh"
#include "paged-attention/kv-cache.cuh"

#define VECTOR_BYTES (HEAD_DIM * 2)
#define VECTOR_PIECES (VECTOR_BYTES / 16)
#define COPY_TOKENS (512 / VECTOR_BYTES)  // whose vectors the lanes of a warp copy at once
#define COPIED_TOKENS 8                   // that always lie in one cache block

// Shifts of a token's pieces: piece p lies at p ^ this. Lanes 4 g + t load piece t of key g, eight lanes at
// once; and the eight values of a matrix are loaded at once.
__device__ __forceinline__ int key_shift(int token) { return (token & 1) * 4; }
__device__ __forceinline__ int value_shift(int token) { return token & 7; }

template <int TOKENS>
struct TensorSlot {
  static constexpr int BYTES = 2 * TOKENS * VECTOR_BYTES;
  u32 at;
  __device__ __forceinline__ u32 key(int token, int piece) const {
    return at + token * VECTOR_BYTES + (piece ^ key_shift(token)) * 16;
  }
  __device__ __forceinline__ u32 value(int token, int piece) const {
    return at + (TOKENS + token) * VECTOR_BYTES + (piece ^ value_shift(token)) * 16;
  }
};

// Copies of the units from `index` on, each `step`-th, in slots. A warp's lanes have one such each. SHARERS warps of a
// block take the slots of a unit in turn; one alone has all of them.
template <int TOKENS, int SHARERS>
struct TensorCopies {
  const DecodeArgs& a;
  int index, step, unitCount;
  Unit u;
  int next;    // token of the unit with which this warp's next slot begins
  int window;  // of 32 blocks of the unit, whose places the lanes know; -1: none
  int block;   // of the cache: this lane's of them

  // Token of each unit with which this warp's first slot begins.
  static __device__ __forceinline__ int begin() { return SHARERS == 1 ? 0 : (threadIdx.x >> 5) * TOKENS; }

  __device__ __forceinline__ void open() {
    next = begin();
    window = -1;
    if (index < unitCount) u = unit_at(a, index);
  }

  // Requests the next tokens of the list, if there are any, for a slot that nobody reads. A request is one group of
  // copies. The whole warp calls it.
  __device__ __forceinline__ void request(TensorSlot<TOKENS> slot) {
    while (index < unitCount && next >= u.blocks * BLOCK_TOKENS) index += step, open();
    if (index < unitCount) {
#pragma unroll
      for (int i = 0; i < TOKENS; i += COPIED_TOKENS) copy_tokens(slot, i);
      next += SHARERS * TOKENS;
    }
    close_copies();
  }

  // Copies COPIED_TOKENS tokens, from the slot's `first` on. Zeros stand for those that the unit does not have: what
  // lies in their place may be no number, and a weight of zero would not hide that.
  __device__ __forceinline__ void copy_tokens(TensorSlot<TOKENS> slot, int first) {
    const int lane = threadIdx.x & 31, piece = lane % VECTOR_PIECES, token0 = next + first;
    if (token0 / (32 * BLOCK_TOKENS) != window) {
      window = token0 / (32 * BLOCK_TOKENS);
      const int b = 32 * window + lane;
      block = b < u.blocks ? a.blockTables[(size_t)u.row * a.maxBlocks + u.first / BLOCK_TOKENS + b] : 0;
    }
    const int from = __shfl_sync(0xffffffffu, block, token0 / BLOCK_TOKENS);
    const u16* keys = a.cache + from * a.blockStride +
                      ((size_t)u.kvHead * BLOCK_TOKENS + token0 % BLOCK_TOKENS) * HEAD_DIM + lane * 8;
    const u16* values = keys + (size_t)a.kvHeads * BLOCK_TOKENS * HEAD_DIM;
    const int end = min(u.newest(), u.end());
#pragma unroll
    for (int i = 0; i < COPIED_TOKENS; i += COPY_TOKENS) {
      const int token = i + lane / VECTOR_PIECES, position = u.first + token0 + token;
      const bool isWanted = position < end && in_window(position, u.visible);
      copy_async16(slot.key(first + token, piece), keys + i * HEAD_DIM, isWanted);
      copy_async16(slot.value(first + token, piece), values + i * HEAD_DIM, isWanted);
    }
  }
};
