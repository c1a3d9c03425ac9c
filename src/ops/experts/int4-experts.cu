// Experts in int4, whose matrices lie one after another in the tiles of linear layers (weights.cuh). A block takes 8
// rows of an expert's matrix, a half of tiles, and its warps share the tiles along k: lane 4 g + t has the numbers of
// row g that a product on tensor cores would take from it. HIDDEN and the width of an expert are multiples of 8, so a
// half of a tile belongs to one expert, and to gate or up.
#include "cuda/act.cuh"
#include "cuda/int4.cuh"
#include "cuda/launch.cuh"
#include "cuda/memory.cuh"
#include "cuda/swiglu.cuh"
#include "experts/expert-args.cuh"
#include "linear/cuda/weights.cuh"

#define EXPERT_ROWS 8

// Half a tile, 8 rows by 128 k: what a lane has of row g.
template <typename W>
struct HalfTile {
  u32 words[4];  // of 32 k each
  u16 scales[W::CHUNK_GROUPS];
  u8 zeros[W::CHUNK_GROUPS];

  // @param row the first of the 8
  __device__ __forceinline__ void load(const ExpertArgs& a, size_t row, int tileOfRow) {
    const int half = row >> 3 & 1;
    const u8* tile = (const u8*)a.weight + ((row >> 4) * W::tiles_of(a.in) + tileOfRow) * W::TILE_BYTES;
    const u8* own = tile + half * 256 + (threadIdx.x & 31) * 8;
    u32 box[2][2];
    load_stream8(own, box[0]);
    load_stream8(own + 512, box[1]);
#pragma unroll
    for (int i = 0; i < 4; i++) words[i] = box[i >> 1][i & 1];
#pragma unroll
    for (int group = 0; group < W::CHUNK_GROUPS; group++) {
      const u32 place = W::row_of_group(group, half);
      scales[group] = __ldg((const u16*)(tile + W::SCALES) + place);
      zeros[group] = W::HAS_ZERO_BYTES ? __ldg(tile + W::ZEROS + place) : 8;
    }
  }

  // The lane's part of row g times x: the words of x[j], which load_chunk_tokens gives, belong to words[j].
  __device__ __forceinline__ float dot(const Vec16 (&x)[4]) const {
    constexpr int GROUP_PRODUCTS = W::GROUP_PRODUCTS;
    float sum = 0.f;
#pragma unroll
    for (int group = 0; group < W::CHUNK_GROUPS; group++) {
      const Int4Zero zero = int4_zero(zeros[group]);
      float part = 0.f;
#pragma unroll
      for (int i = 0; i < GROUP_PRODUCTS; i++) {
        const int product = group * GROUP_PRODUCTS + i, j = product / 2;
        u32 w[2];
        int4_pairs(words[j], product % 2, zero, w[0], w[1]);
#pragma unroll
        for (int k = 0; k < 2; k++) {
          const u32 v = x[j].w[product % 2 * 2 + k];
          part += act_low(w[k]) * act_low(v);
          part += act_high(w[k]) * act_high(v);
        }
      }
      sum += part * half_bits_to_float(scales[group]);
    }
    return sum;
  }
};

// Sums of the block's rows, of which each lane has a part of row g: what thread i gets is row i % 8's.
// `sums` has room for EXPERT_WARPS * EXPERT_ROWS, and is used once.
__device__ __forceinline__ float sum_rows(float part, float* sums) {
  const int warp = threadIdx.x >> 5, lane = threadIdx.x & 31;
  part += __shfl_xor_sync(0xffffffffu, part, 1);
  part += __shfl_xor_sync(0xffffffffu, part, 2);
  if ((lane & 3) == 0) sums[warp * EXPERT_ROWS + (lane >> 2)] = part;
  __syncthreads();
  float sum = 0.f;
#pragma unroll
  for (int i = 0; i < EXPERT_WARPS; i++) sum += sums[i * EXPERT_ROWS + threadIdx.x % EXPERT_ROWS];
  return sum;
}

// Grid: [columns / EXPERT_ROWS, tokens * perToken].
template <typename W>
__device__ __forceinline__ void int4_gate_up(const ExpertArgs& a) {
  extern __shared__ float partial[];
  allow_successor();
  wait_predecessor();
  const int column = blockIdx.x * EXPERT_ROWS, token = blockIdx.y / a.perToken, slot = blockIdx.y % a.perToken;
  const int expert = (int)a.routes[(size_t)token * 2 * a.perToken + slot];
  const u16* x = a.x + (size_t)token * a.in;
  const size_t row = (size_t)expert * 2 * a.columns + column;
  float gate = 0.f, up = 0.f;
  for (int tile = threadIdx.x >> 5; tile < W::tiles_of(a.in); tile += EXPERT_WARPS) {
    HalfTile<W> gates, ups;
    Vec16 v[4];
    gates.load(a, row, tile);
    ups.load(a, row + a.columns, tile);
    W::load_chunk_tokens(v, x + tile * W::CHUNK_K, tile * W::CHUNK_K, a.in, true);
    gate += gates.dot(v);
    up += ups.dot(v);
  }
  gate = sum_rows(gate, partial);
  up = sum_rows(up, partial + EXPERT_WARPS * EXPERT_ROWS);
  if (threadIdx.x < EXPERT_ROWS)
    a.out[(size_t)blockIdx.y * a.columns + column + threadIdx.x] = float_to_act(swiglu(gate, up));
}

// Grid: [columns / EXPERT_ROWS, tokens]. Warps share the tiles of all of a token's experts.
template <typename W>
__device__ __forceinline__ void int4_down(const ExpertArgs& a) {
  extern __shared__ float partial[];
  allow_successor();
  wait_predecessor();
  const int column = blockIdx.x * EXPERT_ROWS, token = blockIdx.y, across = W::tiles_of(a.in);
  const float* routes = a.routes + (size_t)token * 2 * a.perToken;
  float sum = 0.f;
  for (int i = threadIdx.x >> 5; i < a.perToken * across; i += EXPERT_WARPS) {
    const int slot = i / across, tile = i % across;
    const u16* x = a.x + ((size_t)token * a.perToken + slot) * a.in;
    HalfTile<W> rows;
    Vec16 v[4];
    rows.load(a, (size_t)(int)routes[slot] * a.columns + column, tile);
    W::load_chunk_tokens(v, x + tile * W::CHUNK_K, tile * W::CHUNK_K, a.in, true);
    sum += routes[a.perToken + slot] * rows.dot(v);
  }
  sum = sum_rows(sum, partial);
  if (threadIdx.x < EXPERT_ROWS) a.out[(size_t)token * a.columns + column + threadIdx.x] = float_to_act(sum);
}

#define INT4_EXPERT_KERNEL(name, FUNCTION, FORMAT)                                              \
  extern "C" __global__ void __launch_bounds__(EXPERT_WARPS * 32) name(const ExpertArgs args) { \
    FUNCTION<Weights<FORMAT>>(args);                                                            \
  }

// A unit includes this file and makes its kernels with INT4_EXPERT_KERNEL lines.
