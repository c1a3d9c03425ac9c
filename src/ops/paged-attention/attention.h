// Types that the scheduling half (paged-attention.cpp) and the arithmetic half (cpu-kernel.h) of paged attention share.
#pragma once
#include "ops/cpu/step-view.h"

namespace aloft {

// Keys are taken in spans at fixed positions of the sequence. A span's softmax is computed on its own, and spans are
// merged in order. So the arithmetic for a token follows from its position alone, however prompts are chunked, batches
// composed and work shared among threads: results are equal bit for bit.
constexpr int64_t spanTokens = 256;
// Keys or values converted to f32 at a time.
constexpr int64_t tileTokens = 64;
// Query vectors that share one conversion of keys and values.
constexpr int64_t tileQueries = 64;

struct Attention {
  const StepView* step;
  const KvLayout* layout;
  uint64_t layerAddress;
  const float* qkv;  // [tokens, (heads + 2 kvHeads) * headDim]
  float* out;        // [tokens, heads * headDim]
  int64_t heads;
  int64_t group;   // query heads per key/value head
  int64_t window;  // newest tokens that a token sees, itself among them; 0: all
  float softCap;   // scores s become softCap * tanh(s / softCap); 0: they stay as they are

  // First position that a token at `position` sees.
  ALOFT_INLINE int64_t firstVisible(int64_t position) const {
    return window > 0 && position >= window ? position + 1 - window : 0;
  }
};

// Neighbouring tokens of one row. With the `group` query heads of one key/value head they make tokenCount * group
// queries, token by token.
struct QueryTile {
  int64_t row;
  int64_t firstToken;
  int64_t tokenCount;
  int64_t firstSpan;    // the first that its first token sees
  int64_t spanCount;    // spans from there up to the last token
  int64_t spansBefore;  // in all tiles before this one
};

// Softmax state of some queries over some keys.
struct Partial {
  float* max;     // [queries]
  float* sum;     // [queries] of exp(score - max)
  float* values;  // [queries, valueStride] weighted by exp(score - max)

  static ALOFT_INLINE int64_t floats(int64_t queries, int64_t valueStride) { return queries * (valueStride + 2); }
  static ALOFT_INLINE Partial at(float* memory, int64_t queries, int64_t valueStride) {
    float* max = memory + queries * valueStride;
    return {max, max + queries, memory};
  }
};

// Scratch memory of one thread.
struct Workspace {
  float* queries;   // [queries, headDim], scaled by 1 / sqrt(headDim)
  float* scores;    // [queries, spanTokens]; softmax turns them into weights
  float* tile;      // keys [headDim, tileTokens], then values [tileTokens, valueStride]
  Partial partial;  // of one span
  Partial total;    // of all spans so far

  static ALOFT_INLINE int64_t floats(const KvLayout& layout, int64_t queries) {
    return queries * (layout.headDim + spanTokens) + tileTokens * layout.valueStride +
           2 * Partial::floats(queries, layout.valueStride);
  }
  static ALOFT_INLINE Workspace at(float* memory, const KvLayout& layout, int64_t queries) {
    float* tile = memory;
    float* partial = tile + tileTokens * layout.valueStride;
    float* total = partial + Partial::floats(queries, layout.valueStride);
    float* scores = total + Partial::floats(queries, layout.valueStride);
    return {scores + queries * spanTokens, scores, tile, Partial::at(partial, queries, layout.valueStride),
            Partial::at(total, queries, layout.valueStride)};
  }
};

}  // namespace aloft
