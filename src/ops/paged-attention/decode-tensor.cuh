// Decode attention over a cache of activations on the tensor cores, for several query heads a key head. A warp takes a
// slot of TOKENS tokens at once. Of a product of 16 by 16 and 16 by 8 numbers, lane 4 g + t has rows g and g + 8, and
// of the result columns 2t and 2t + 1.
//   Scores: rows are tokens, places are dimensions, columns are query heads. A lane has keys in pieces of 16 bytes, t,
//     t + 4 and so on of tokens g and g + 8; the queries' dimensions are in the same order.
//   Values: rows are dimensions, places are tokens, columns are query heads. The scores of heads 2t and 2t + 1, made
//     weights and transposed, are the operand; sums stay with the lanes that have these heads' scores.
// Eight heads fill the columns; more of them make several sets.
#pragma once
#include "cuda/act.cuh"
#include "cuda/memory.cuh"
#include "cuda/mma.cuh"
#include "paged-attention/decode-lanes.cuh"
#include "paged-attention/decode-merge.cuh"
#include "paged-attention/decode-tensor-copies.cuh"
#include "paged-attention/kv-cache.cuh"
#include "paged-attention/scores.cuh"

#define COLUMN_SETS ((GROUP + 7) / 8)
#define LANE_PIECES (VECTOR_PIECES / 4)  // of a vector, which a lane has
#define DIM_TILES (HEAD_DIM / 16)

// A split's sums of a head as they lie in memory: of each tile of 16 dimensions, 0, 8, 1, 9 and so on; then the largest
// score and the sum of weights. Lanes store and load pairs.
struct SplitSums {
  float2 values[DIM_TILES], stats;

  __device__ __forceinline__ void load(const float* partial, int row) {
    stats = __ldcg((const float2*)(partial + HEAD_DIM));
#pragma unroll
    for (int m = 0; m < DIM_TILES; m++) values[m] = __ldcg((const float2*)partial + 8 * m + row);
  }
};

// Sums that a warp finds for a unit, and the unit's queries.
template <int TOKENS>
struct TensorSums {
  static constexpr int STEPS = TOKENS / 16;
  Vec16 query[COLUMN_SETS][LANE_PIECES];  // of head g
  float acc[COLUMN_SETS][DIM_TILES][4];   // dimension g, heads 2t and 2t + 1; dimension g + 8
  float best[COLUMN_SETS][2], total[COLUMN_SETS][2];

  static __device__ __forceinline__ int row() { return (threadIdx.x & 31) >> 2; }
  static __device__ __forceinline__ int column() { return threadIdx.x & 3; }

  __device__ __forceinline__ void clear() {
#pragma unroll
    for (int s = 0; s < COLUMN_SETS; s++) {
#pragma unroll
      for (int e = 0; e < 2; e++) best[s][e] = MASKED_SCORE, total[s][e] = 0.f;
#pragma unroll
      for (int m = 0; m < DIM_TILES; m++)
#pragma unroll
        for (int i = 0; i < 4; i++) acc[s][m][i] = 0.f;
    }
  }

  // Takes the queries of a unit and rotates them. A piece and its partner, half a vector away, are in one lane.
  __device__ __forceinline__ void take_queries(const DecodeArgs& a, const Unit& u) {
    const int g = row(), t = column();
    const u16* source =
        a.qkv + ((size_t)u.newToken * (a.heads() + 2 * a.kvHeads) + u.kvHead * GROUP + g) * HEAD_DIM + t * 8;
#pragma unroll
    for (int s = 0; s < COLUMN_SETS; s++)
#pragma unroll
      for (int c = 0; c < LANE_PIECES; c++)
        query[s][c] = 8 * s + g < GROUP ? load16(source + 8 * s * HEAD_DIM + c * 32) : zero16();
    const size_t at = (size_t)u.newest() * (HEAD_DIM / 2) + t * 8;
#pragma unroll
    for (int c = 0; c < LANE_PIECES / 2; c++) {
      float cosine[8], sine[8];
#pragma unroll
      for (int i = 0; i < 8; i += 4) {
        load_constant4(a.cosTable + at + c * 32 + i, &cosine[i]);
        load_constant4(a.sinTable + at + c * 32 + i, &sine[i]);
      }
#pragma unroll
      for (int s = 0; s < COLUMN_SETS; s++) rotate(query[s][c], query[s][c + LANE_PIECES / 2], cosine, sine);
    }
  }

  static __device__ __forceinline__ void rotate(Vec16& lower, Vec16& upper, const float (&cosine)[8],
                                                const float (&sine)[8]) {
    float x[8], y[8];
    unpack8(lower, x), unpack8(upper, y);
#pragma unroll
    for (int i = 0; i < 8; i++) {
      const float turned = x[i] * cosine[i] - y[i] * sine[i];
      y[i] = y[i] * cosine[i] + x[i] * sine[i];
      x[i] = turned;
    }
    lower = pack8(x), upper = pack8(y);
  }

  // Scores of this lane's tokens, g, g + 8, g + 16 and so on; those of tokens that are not `live` are masked.
  template <typename IsLive>
  __device__ __forceinline__ void score(TensorSlot<TOKENS> slot, IsLive isLive,
                                        float (&scores)[COLUMN_SETS][STEPS][4]) const {
    const int g = row(), t = column();
    const float scale = score_scale();
#pragma unroll
    for (int i = 0; i < STEPS; i++) {
      float sums[COLUMN_SETS][2][4] = {};  // two chains of products
#pragma unroll
      for (int c = 0; c < LANE_PIECES; c++) {
        const Vec16 upper = load_shared16(slot.key(16 * i + g, t + 4 * c));
        const Vec16 lower = load_shared16(slot.key(16 * i + 8 + g, t + 4 * c));
#pragma unroll
        for (int s = 0; s < COLUMN_SETS; s++)
#pragma unroll
          for (int w = 0; w < 2; w++)
            mma16816(sums[s][w], {upper.w[2 * w], lower.w[2 * w], upper.w[2 * w + 1], lower.w[2 * w + 1]},
                     query[s][c].w[2 * w], query[s][c].w[2 * w + 1]);
      }
      const bool live[2] = {isLive(16 * i + g), isLive(16 * i + 8 + g)};
#pragma unroll
      for (int s = 0; s < COLUMN_SETS; s++)
#pragma unroll
        for (int j = 0; j < 4; j++)
          scores[s][i][j] = live[j / 2] ? capped_score((sums[s][0][j] + sums[s][1][j]) * scale) : MASKED_SCORE;
    }
  }

  // Makes weights of a set's scores, relative to the largest score so far. `weights` are those of head g, of two tokens
  // a word.
  __device__ __forceinline__ void weigh(int s, float (&scores)[STEPS][4], u32 (&weights)[STEPS][2]) {
    float factor[2];
#pragma unroll
    for (int e = 0; e < 2; e++) {
      float top = best[s][e];
#pragma unroll
      for (int i = 0; i < STEPS; i++) top = fmaxf(top, fmaxf(scores[i][e], scores[i][2 + e]));
      top = max_over_groups<4>(top);
      factor[e] = exp2f(best[s][e] - top);
      best[s][e] = top;
      total[s][e] *= factor[e];
    }
#pragma unroll
    for (int i = 0; i < STEPS; i++)
#pragma unroll
      for (int half = 0; half < 2; half++) {
        float weight[2];
#pragma unroll
        for (int e = 0; e < 2; e++) {
          const float score = scores[i][2 * half + e];
          weight[e] = score == MASKED_SCORE ? 0.f : exp2f(score - best[s][e]);
        }
        const u32 pair = pack_act(weight[0], weight[1]);
        // The divisor is the sum of the rounded weights, by which values are multiplied.
        total[s][0] += act_low(pair), total[s][1] += act_high(pair);
        weights[i][half] = transpose_matrix(pair);
      }
#pragma unroll
    for (int m = 0; m < DIM_TILES; m++)
#pragma unroll
      for (int i = 0; i < 4; i++) acc[s][m][i] *= factor[i % 2];
  }

  // Adds the slot's values by their weights.
  template <typename IsLive>
  __device__ __forceinline__ void take_slot(TensorSlot<TOKENS> slot, IsLive isLive) {
    float scores[COLUMN_SETS][STEPS][4];
    score(slot, isLive, scores);
    u32 weights[COLUMN_SETS][STEPS][2];
#pragma unroll
    for (int s = 0; s < COLUMN_SETS; s++) weigh(s, scores[s], weights[s]);
    // Lanes give the addresses of rows of four matrices: dimensions 0 to 7, then 8 to 15, of eight tokens; the same of
    // the next eight.
    const int lane = threadIdx.x & 31, token = lane % 8 + lane / 16 * 8, piece = lane / 8 % 2;
#pragma unroll
    for (int i = 0; i < STEPS; i++)
#pragma unroll
      for (int m = 0; m < DIM_TILES; m++) {
        const Vec16 values = load_matrices_transposed(slot.value(16 * i + token, 2 * m + piece));
#pragma unroll
        for (int s = 0; s < COLUMN_SETS; s++) mma16816(acc[s][m], values.w, weights[s][i][0], weights[s][i][1]);
      }
  }

  // Adds up the lanes' weights; before results are read.
  __device__ __forceinline__ void finish() {
#pragma unroll
    for (int s = 0; s < COLUMN_SETS; s++)
#pragma unroll
      for (int e = 0; e < 2; e++) total[s][e] = sum_over_groups<4>(total[s][e]);
  }

  // Stores the result of a row, whose sums these are.
  __device__ __forceinline__ void store_result(const DecodeArgs& a, const Unit& u) const {
    const int g = row(), t = column();
#pragma unroll
    for (int s = 0; s < COLUMN_SETS; s++) {
      u16* result = result_of(a, u, 8 * s + g) + 2 * t;
#pragma unroll
      for (int m = 0; m < DIM_TILES; m++)
#pragma unroll
        for (int half = 0; half < 2; half++) {
          const float (&sums)[4] = acc[s][m];
          const u32 heads = pack_act(sums[2 * half] / total[s][0], sums[2 * half + 1] / total[s][1]);
          const u32 dims = transpose_matrix(heads);  // two of head g
          if (8 * s + g < GROUP) store4(result + 16 * m + 8 * half, dims);
        }
    }
  }

  // Stores the sums of a split.
  __device__ __forceinline__ void store_partial(const DecodeArgs& a, const Unit& u) const {
#pragma unroll
    for (int s = 0; s < COLUMN_SETS; s++)
#pragma unroll
      for (int e = 0; e < 2; e++) {
        const int head = 8 * s + 2 * column() + e;
        if (head >= GROUP) continue;
        float2* partial = (float2*)partial_of(a, u, u.item, head);
#pragma unroll
        for (int m = 0; m < DIM_TILES; m++) partial[8 * m + row()] = {acc[s][m][e], acc[s][m][2 + e]};
        if (row() == 0) partial[HEAD_DIM / 2] = {best[s][e], total[s][e]};
      }
  }

  // Gives a warp's sums to those that share the unit.
  template <int WARPS>
  __device__ __forceinline__ void put(WarpSums<WARPS>& to, int warp) const {
#pragma unroll
    for (int s = 0; s < COLUMN_SETS; s++)
#pragma unroll
      for (int e = 0; e < 2; e++) {
        const int head = 8 * s + 2 * column() + e;
        if (head >= GROUP) continue;
#pragma unroll
        for (int m = 0; m < DIM_TILES; m++)
#pragma unroll
          for (int half = 0; half < 2; half++)
            to.values[warp][head][16 * m + 8 * half + row()] = acc[s][m][2 * half + e];
        if (row() == 0) to.stats[warp][head][0] = best[s][e], to.stats[warp][head][1] = total[s][e];
      }
  }

  // Adds the splits of a row in their order.
  __device__ __forceinline__ void merge(const DecodeArgs& a, const Unit& u) {
    // A split after the other, each would take as long as all of them; registers have no room for more.
    constexpr int AT_ONCE = COLUMN_SETS > 1 || HEAD_DIM > 128 ? 2 : 4;
    const size_t step = (size_t)a.kvHeads * GROUP * (HEAD_DIM + 2);
    const int splits = u.splits();
    clear();
#pragma unroll
    for (int s = 0; s < COLUMN_SETS; s++)
#pragma unroll
      for (int e = 0; e < 2; e++) {
        const int head = 8 * s + 2 * column() + e;
        if (head >= GROUP) continue;
        const float* partial = partial_of(a, u, u.item - u.split, head);
        for (int first = 0; first < splits; first += AT_ONCE) {
          SplitSums sums[AT_ONCE];
#pragma unroll
          for (int i = 0; i < AT_ONCE; i++)
            if (first + i < splits) sums[i].load(partial + (first + i) * step, row());
#pragma unroll
          for (int i = 0; i < AT_ONCE; i++)
            if (first + i < splits) add_split(sums[i], s, e);
        }
      }
  }

  __device__ __forceinline__ void add_split(const SplitSums& split, int s, int e) {
    const float top = fmaxf(best[s][e], split.stats.x);
    const float mine = exp2f(best[s][e] - top), its = exp2f(split.stats.x - top);
    best[s][e] = top;
    total[s][e] = total[s][e] * mine + split.stats.y * its;
#pragma unroll
    for (int m = 0; m < DIM_TILES; m++) {
      acc[s][m][e] = acc[s][m][e] * mine + split.values[m].x * its;
      acc[s][m][2 + e] = acc[s][m][2 + e] * mine + split.values[m].y * its;
    }
  }
};
