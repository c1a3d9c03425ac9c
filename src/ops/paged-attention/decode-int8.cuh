// Decode attention over an int8 cache on the tensor cores, whose products of 8-bit integers are exact. Queries and
// weights are no integers; each is two of them: high + low / 128, times a factor of its vector. An error of 2^-15 of
// the largest is less than what activations round off.
//
// A slot of shared memory holds SLOT_TOKENS tokens, a multiple of 32, which a warp takes at once. Of a product of 16 by
// 32 and 32 by 8 numbers, lane 4 g + t has rows g and g + 8, places 4t to 4t + 3 and 16 more, and columns 2t and 2t + 1
// of the result.
//   Scores: rows are tokens, places are dimensions, columns 2h and 2h + 1 are query head h, high and low. So this
//     lane's scores are those of head t and of tokens g, g + 8, g + 16 and so on.
//   Values: rows are dimensions, places are tokens in the order in which lanes have their weights, columns as before.
//     So this lane's sums are those of head t and of dimensions OWN_DIMS * g and on.
// Four heads fill the columns; more of them make several sets.
#pragma once
#include "cuda/memory.cuh"
#include "cuda/mma.cuh"
#include "paged-attention/decode-lanes.cuh"
#include "paged-attention/decode-merge.cuh"
#include "paged-attention/int8-pieces.cuh"
#include "paged-attention/kv-cache.cuh"
#include "paged-attention/scores.cuh"

#define SLOT_TOKENS (INT8_SLOT_BLOCKS * BLOCK_TOKENS)
#define OWN_TOKENS (SLOT_TOKENS / 8)  // whose weights a lane has
#define OWN_DIMS (HEAD_DIM / 8)
#define HEAD_SETS ((GROUP + 3) / 4)
// A slot: cache blocks one after the other.
struct Int8Slot {
  u32 at;
  // Address of token first + 8 * step, of which `step` is known to the compiler and `first` is less than 8.
  __device__ __forceinline__ u32 vector(int isValue, int first, int step) const {
    return block(step) + (isValue * BLOCK_TOKENS + first + 8 * step % BLOCK_TOKENS) * HEAD_DIM;
  }
  __device__ __forceinline__ float scale(int isValue, int first, int step) const {
    return load_shared_float(block(step) + 2 * KV_HALF_BYTES +
                             (isValue * BLOCK_TOKENS + first + 8 * step % BLOCK_TOKENS) * 4);
  }
  __device__ __forceinline__ u32 block(int step) const { return at + 8 * step / BLOCK_TOKENS * KV_HEAD_BYTES; }
};

// Sums that a warp finds for a unit, and the unit's queries.
struct Int8Sums {
  u32 query[HEAD_SETS][HEAD_DIM / 64][4];  // pieces of column g, at the dimensions of this lane's chunks
  int querySum[HEAD_SETS];                 // PIECE * high + low, summed over the dimensions of head t
  float queryScale[HEAD_SETS];             // makes scores of products
  float acc[HEAD_SETS][OWN_DIMS], best[HEAD_SETS], total[HEAD_SETS];

  static __device__ __forceinline__ int row() { return (threadIdx.x & 31) >> 2; }
  static __device__ __forceinline__ int column() { return threadIdx.x & 3; }

  __device__ __forceinline__ void clear() {
#pragma unroll
    for (int s = 0; s < HEAD_SETS; s++) {
      best[s] = MASKED_SCORE, total[s] = 0.f;
#pragma unroll
      for (int i = 0; i < OWN_DIMS; i++) acc[s][i] = 0.f;
    }
  }

  // Takes the queries of a unit, scaled so that products are scores. A query that is no number makes scores that are
  // none.
  __device__ __forceinline__ void take_queries(const float (&q)[GROUP][EPL]) {
    const int g = row(), t = column();
#pragma unroll
    for (int s = 0; s < HEAD_SETS; s++) {
      querySum[s] = 0, queryScale[s] = 0.f;
#pragma unroll
      for (int c = 0; c < HEAD_DIM / 64; c++)
#pragma unroll
        for (int w = 0; w < 4; w++) query[s][c][w] = 0;
    }
#pragma unroll
    for (int h = 0; h < GROUP; h++) {
      float largest = 0.f;
#pragma unroll
      for (int i = 0; i < EPL; i++) largest = max_or_nan(largest, fabsf(q[h][i]));
#pragma unroll
      for (int mask = LANES / 2; mask > 0; mask >>= 1)
        largest = max_or_nan(largest, __shfl_xor_sync(0xffffffffu, largest, mask));
      const float inverse = largest > 0x1p-100f ? 127.f / largest : 0.f;
      u32 high[2], low[2];
      int sum = 0;
#pragma unroll
      for (int w = 0; w < 2; w++) {
        Pieces p[4];
#pragma unroll
        for (int i = 0; i < 4; i++) p[i] = pieces_of(q[h][4 * w + i] * inverse);
        high[w] = pack_bytes(p[0].high, p[1].high, p[2].high, p[3].high);
        low[w] = pack_bytes(p[0].low, p[1].low, p[2].low, p[3].low);
        sum += byte_sum(high[w]) * PIECE + byte_sum(low[w]);
      }
#pragma unroll
      for (int mask = LANES / 2; mask > 0; mask >>= 1) sum += __shfl_xor_sync(0xffffffffu, sum, mask);
      if (t == h % 4) querySum[h / 4] = sum, queryScale[h / 4] = largest / (127.f * PIECE);
#pragma unroll
      for (int c = 0; c < HEAD_DIM / 64; c++)
#pragma unroll
        for (int w = 0; w < 4; w++) {
          const int from = 2 * (t + 4 * c) + w / 2;  // a chunk of 16 dimensions is with two lanes
          const u32 ofHigh = __shfl_sync(0xffffffffu, high[w % 2], from);
          const u32 ofLow = __shfl_sync(0xffffffffu, low[w % 2], from);
          if (g / 2 == h % 4) query[h / 4][c][w] = g % 2 ? ofLow : ofHigh;
        }
    }
  }

  // Scores of this lane's tokens; those of tokens that are not `live` are masked.
  template <typename IsLive>
  __device__ __forceinline__ void score(Int8Slot slot, int count, IsLive isLive,
                                        float (&scores)[HEAD_SETS][OWN_TOKENS]) const {
    const int g = row(), t = column();
#pragma unroll
    for (int i = 0; i < OWN_TOKENS; i += 2) {
      if (8 * i >= count) {
#pragma unroll
        for (int s = 0; s < HEAD_SETS; s++) scores[s][i] = scores[s][i + 1] = MASKED_SCORE;
        continue;
      }
      int sums[HEAD_SETS][4] = {};
#pragma unroll
      for (int c = 0; c < HEAD_DIM / 64; c++) {
        const Vec16 upper = load_shared16(slot.vector(0, g, i) + 16 * (t + 4 * c));
        const Vec16 lower = load_shared16(slot.vector(0, g, i + 1) + 16 * (t + 4 * c));
#pragma unroll
        for (int s = 0; s < HEAD_SETS; s++) {
          const u32(&q)[4] = query[s][c];
          mma_int8(sums[s], upper.w[0], lower.w[0], upper.w[1], lower.w[1], q[0], q[1]);
          mma_int8(sums[s], upper.w[2], lower.w[2], upper.w[3], lower.w[3], q[2], q[3]);
        }
      }
#pragma unroll
      for (int j = 0; j < 2; j++) {
        const bool live = isLive(g + 8 * (i + j));
        const float scale = slot.scale(0, g, i + j);
#pragma unroll
        for (int s = 0; s < HEAD_SETS; s++) {
          const int sum = sums[s][2 * j] * PIECE + sums[s][2 * j + 1] - 128 * querySum[s];
          scores[s][i + j] = live ? capped_score((float)sum * queryScale[s] * scale) : MASKED_SCORE;
        }
      }
    }
  }

  // Makes weights of scores, relative to the largest score so far, and pieces of the weights times the values' scales.
  // `words` are the columns' pieces in the order of places; returns what makes numbers of sums, and subtracts `offset`
  // from them for the 128 that is added to values.
  __device__ __forceinline__ float weigh(Int8Slot slot, int s, float (&scores)[OWN_TOKENS],
                                         u32 (&words)[SLOT_TOKENS / 32][2], int& offset) {
    const int g = row(), t = column();
    float top = best[s];
#pragma unroll
    for (int i = 0; i < OWN_TOKENS; i++) top = fmaxf(top, scores[i]);
    top = max_over_groups<4>(top);
    const float factor = exp2f(best[s] - top);
    best[s] = top;
    total[s] *= factor;
    float largest = 0.f;
#pragma unroll
    for (int i = 0; i < OWN_TOKENS; i++) {
      const float weight = scores[i] == MASKED_SCORE ? 0.f : exp2f(scores[i] - top);
      total[s] += weight;
      scores[i] = weight > 0.f ? weight * slot.scale(1, g, i) : 0.f;
      largest = fmaxf(largest, scores[i]);
    }
    largest = max_over_groups<4>(largest);
    const float inverse = largest > 0x1p-100f ? 127.f / largest : 0.f;
    int sum = 0;
    u32 high[SLOT_TOKENS / 32], low[SLOT_TOKENS / 32];
#pragma unroll
    for (int w = 0; w < SLOT_TOKENS / 32; w++) {
      Pieces p[4];
#pragma unroll
      for (int i = 0; i < 4; i++) p[i] = pieces_of(scores[4 * w + i] * inverse);
      high[w] = pack_bytes(p[0].high, p[1].high, p[2].high, p[3].high);
      low[w] = pack_bytes(p[0].low, p[1].low, p[2].low, p[3].low);
      sum += byte_sum(high[w]) * PIECE + byte_sum(low[w]);
    }
    offset = 128 * sum_over_groups<4>(sum);
#pragma unroll
    for (int w = 0; w < SLOT_TOKENS / 32; w++)
#pragma unroll
      for (int half = 0; half < 2; half++) {
        const int from = 4 * (t + 4 * half) + g / 2;  // column g is a piece of head g / 2
        const u32 ofHigh = __shfl_sync(0xffffffffu, high[w], from), ofLow = __shfl_sync(0xffffffffu, low[w], from);
        words[w][half] = g % 2 ? ofLow : ofHigh;
      }
#pragma unroll
    for (int i = 0; i < OWN_DIMS; i++) acc[s][i] *= factor;
    return largest / (127.f * PIECE);
  }

  // Adds the slot's values by their weights.
  template <typename IsLive>
  __device__ __forceinline__ void take_slot(u32 at, int count, IsLive isLive) {
    const Int8Slot slot{at};
    float scores[HEAD_SETS][OWN_TOKENS];
    score(slot, count, isLive, scores);
    u32 words[HEAD_SETS][SLOT_TOKENS / 32][2];
    float scale[HEAD_SETS];
    int offset[HEAD_SETS];
#pragma unroll
    for (int s = 0; s < HEAD_SETS; s++) scale[s] = weigh(slot, s, scores[s], words[s], offset[s]);
#pragma unroll
    for (int d = 0; d < OWN_DIMS; d += 8) add_values(slot, d, count, words, offset, scale);
  }

  // Adds eight of this lane's dimensions, from `d` on.
  __device__ __forceinline__ void add_values(Int8Slot slot, int d, int count,
                                             const u32 (&words)[HEAD_SETS][SLOT_TOKENS / 32][2],
                                             const int (&offset)[HEAD_SETS], const float (&scale)[HEAD_SETS]) {
    const int g = row(), t = column();
    int sums[HEAD_SETS][4][4] = {};
#pragma unroll
    for (int w = 0; w < SLOT_TOKENS / 32; w++) {
      if (32 * w >= count) break;
      u32 values[2][4][2];
#pragma unroll
      for (int half = 0; half < 2; half++)
#pragma unroll
        for (int i = 0; i < 4; i++)
          load_shared8(slot.vector(1, t + 4 * half, 4 * w + i) + OWN_DIMS * g + d, values[half][i]);
#pragma unroll
      for (int n = 0; n < 2; n++) {
        u32 first[4], second[4];
        transpose_bytes({values[0][0][n], values[0][1][n], values[0][2][n], values[0][3][n]}, first);
        transpose_bytes({values[1][0][n], values[1][1][n], values[1][2][n], values[1][3][n]}, second);
#pragma unroll
        for (int s = 0; s < HEAD_SETS; s++) {
          const u32(&b)[2] = words[s][w];
          mma_int8(sums[s][2 * n], first[0], first[1], second[0], second[1], b[0], b[1]);
          mma_int8(sums[s][2 * n + 1], first[2], first[3], second[2], second[3], b[0], b[1]);
        }
      }
    }
#pragma unroll
    for (int s = 0; s < HEAD_SETS; s++)
#pragma unroll
      for (int i = 0; i < 8; i++) {
        const int high = sums[s][i / 2][i % 2 * 2], low = sums[s][i / 2][i % 2 * 2 + 1];
        acc[s][d + i] += (float)(high * PIECE + low - offset[s]) * scale[s];
      }
  }

  // Adds up the lanes' weights; before results are read.
  __device__ __forceinline__ void finish() {
#pragma unroll
    for (int s = 0; s < HEAD_SETS; s++) total[s] = sum_over_groups<4>(total[s]);
  }

  // Stores the result of a row with one split.
  __device__ __forceinline__ void store_result(const DecodeArgs& a, const Unit& u) const {
#pragma unroll
    for (int s = 0; s < HEAD_SETS; s++) {
      if (4 * s + column() >= GROUP) continue;
      u16* result = result_of(a, u, 4 * s + column()) + OWN_DIMS * row();
#pragma unroll
      for (int d = 0; d < OWN_DIMS; d += 8) {
        float values[8];
#pragma unroll
        for (int i = 0; i < 8; i++) values[i] = acc[s][d + i] / total[s];
        store16(result + d, pack8(values));
      }
    }
  }

  // Stores the sums of a split.
  __device__ __forceinline__ void store_partial(const DecodeArgs& a, const Unit& u) const {
#pragma unroll
    for (int s = 0; s < HEAD_SETS; s++) {
      if (4 * s + column() >= GROUP) continue;
      float* partial = partial_of(a, u, u.item, 4 * s + column());
#pragma unroll
      for (int i = 0; i < OWN_DIMS; i++) partial[OWN_DIMS * row() + i] = acc[s][i];
      if (row() == 0) partial[HEAD_DIM] = best[s], partial[HEAD_DIM + 1] = total[s];
    }
  }
};
