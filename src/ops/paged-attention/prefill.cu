// Causal attention of prompt chunks over the paged KV cache, which holds the chunk's own keys and values already.
// Flash attention (Dao 2023, arXiv:2307.08691): a block takes 64 queries of one head and walks over tiles of 64 cached
// tokens; scores never leave the registers. Tiles are copied asynchronously into two buffers in turn.
#include "cuda/act.cuh"
#include "cuda/copy-async.cuh"
#include "cuda/launch.cuh"
#include "cuda/memory.cuh"
#include "cuda/mma.cuh"
#include "paged-attention/kv-cache.cuh"
#include "paged-attention/scores.cuh"

#define QUERIES 64
#define TILE 64
#define PREFILL_WARPS 4
#define STRIDE (HEAD_DIM * 2 + 16)  // bytes of a row in shared memory: eight rows fall into different banks

struct PrefillArgs {
  const u16* qkv;             // [tokens, (heads + 2 kvHeads) * HEAD_DIM]
  const KvElement* cache;     // of the layer, in block 0
  u16* out;                   // [tokens, heads * HEAD_DIM]
  const int* rowOffsets;      // [rows + 1]
  const int* contextLengths;  // [rows]
  const int* blockTables;     // [rows, maxBlocks]
  const int* tiles;           // [tiles] row * 65536 + index of the group of 64 queries
  u64 blockStride;            // elements from one block to the next
  int heads, kvHeads, maxBlocks;
  int window;  // newest tokens that a token sees, 0 for all; heeded with HAS_WINDOW
};

// Grid: [heads, tiles].
extern "C" __global__ void __launch_bounds__(PREFILL_WARPS * 32) attention_prefill(const PrefillArgs a) {
  extern __shared__ __align__(128) u8 memory[];
  allow_successor();
  wait_predecessor();
  const int warp = threadIdx.x >> 5, lane = threadIdx.x & 31, g = lane >> 2, t = lane & 3;
  const int head = blockIdx.x, kvHead = head / GROUP;
  const int item = a.tiles[blockIdx.y], row = item >> 16;
  const int first = a.rowOffsets[row] + (item & 0xffff) * QUERIES;  // first query of the block
  const int newTokens = a.rowOffsets[row + 1] - a.rowOffsets[row];
  const int before = a.contextLengths[row] - newTokens;  // position of the row's first new token
  const int position0 = before + (item & 0xffff) * QUERIES;
  const int queries = min(QUERIES, a.rowOffsets[row + 1] - first);
  const int keys = position0 + queries;
  const int* table = a.blockTables + (size_t)row * a.maxBlocks;
  const int rowStride = (a.heads + 2 * a.kvHeads) * HEAD_DIM;

  // Query fragments, scaled at the scores.
  u32 q[HEAD_DIM / 16][4];
  const int q0 = warp * 16 + g, q1 = q0 + 8;
#pragma unroll
  for (int k = 0; k < HEAD_DIM / 16; k++)
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const int query = (i & 1) ? q1 : q0, d = k * 16 + t * 2 + (i >> 1) * 8;
      q[k][i] = query < queries ? *(const u32*)(a.qkv + (size_t)(first + query) * rowStride + head * HEAD_DIM + d) : 0u;
    }

  const u32 base = shared_address(memory);
#ifdef KV_8BIT
  // Copies arrive as they are cached, in two stages in turn, and become one pair of tiles of activations just before
  // use.
  constexpr int STAGE_BYTES = 2 * TILE * (HEAD_DIM + 4);
  const auto stageAt = [&](int stage) { return base + 2 * TILE * STRIDE + stage * STAGE_BYTES; };
  const auto fetch = [&](int stage, int tile) {
    constexpr int PIECES = HEAD_DIM / 16;
    const u32 keysTo = stageAt(stage), valuesTo = keysTo + TILE * HEAD_DIM, scalesTo = valuesTo + TILE * HEAD_DIM;
    for (int i = threadIdx.x; i < TILE * PIECES; i += PREFILL_WARPS * 32) {
      const int token = i / PIECES, piece = i % PIECES, position = tile * TILE + token;
      const bool inside = position < keys;
      const int block = inside ? table[position / BLOCK_TOKENS] : 0, within = position % BLOCK_TOKENS;
      copy_async16(keysTo + token * HEAD_DIM + piece * 16,
                   a.cache + kv_offset(a.blockStride, block, 0, kvHead, within) + piece * 16, inside);
      copy_async16(valuesTo + token * HEAD_DIM + piece * 16,
                   a.cache + kv_offset(a.blockStride, block, 1, kvHead, within) + piece * 16, inside);
      if (piece == 0) {
        copy_async4(scalesTo + token * 4, a.cache + kv_scale_offset(a.blockStride, block, 0, kvHead, within), inside);
        copy_async4(scalesTo + (TILE + token) * 4, a.cache + kv_scale_offset(a.blockStride, block, 1, kvHead, within),
                    inside);
      }
    }
    close_copies();
  };
  // Vectors 0 .. TILE - 1 are keys, the next TILE values, in the stage as in the tiles.
  const auto convert = [&](int stage) {
    constexpr int PIECES = HEAD_DIM / 8;
    const u32 from = stageAt(stage);
    for (int i = threadIdx.x; i < 2 * TILE * PIECES; i += PREFILL_WARPS * 32) {
      const int vector = i / PIECES, piece = i % PIECES;
      const KvVector stored =
          kv_load_shared(from + vector * HEAD_DIM + piece * 8, from + 2 * TILE * HEAD_DIM + vector * 4);
      float x[8];
      kv_unpack(stored, x);
#pragma unroll
      for (int j = 0; j < 8; j++) x[j] = kv_scaled(x[j], stored);
      store_shared16(base + vector * STRIDE + piece * 16, pack8(x));
    }
  };
#else
  const auto buffer = [&](int stage, int isValue) { return base + (stage * 2 + isValue) * TILE * STRIDE; };
  const auto fetch = [&](int stage, int tile) {
    constexpr int PIECES = HEAD_DIM / 8;
    for (int i = threadIdx.x; i < TILE * PIECES; i += PREFILL_WARPS * 32) {
      const int token = i / PIECES, piece = i % PIECES, position = tile * TILE + token;
      const bool inside = position < keys;
      const int block = inside ? table[position / BLOCK_TOKENS] : 0;
      const u16* from = a.cache + block * a.blockStride +
                        ((size_t)kvHead * BLOCK_TOKENS + position % BLOCK_TOKENS) * HEAD_DIM + piece * 8;
      copy_async16(buffer(stage, 0) + token * STRIDE + piece * 16, from, inside);
      copy_async16(buffer(stage, 1) + token * STRIDE + piece * 16, from + (size_t)a.kvHeads * BLOCK_TOKENS * HEAD_DIM,
                   inside);
    }
    close_copies();
  };
#endif

  float acc[HEAD_DIM / 8][4];
#pragma unroll
  for (int n = 0; n < HEAD_DIM / 8; n++)
#pragma unroll
    for (int i = 0; i < 4; i++) acc[n][i] = 0.f;
  float top[2] = {MASKED_SCORE, MASKED_SCORE}, total[2] = {0.f, 0.f};
  const float scale = score_scale();

  const int tileCount = (keys + TILE - 1) / TILE, firstTile = first_visible(position0, a.window) / TILE;
  fetch(firstTile & 1, firstTile);
  for (int tile = firstTile; tile < tileCount; tile++) {
    if (tile + 1 < tileCount) {
      fetch((tile + 1) & 1, tile + 1);
      wait_copies<1>();
    } else {
      wait_copies<0>();
    }
    __syncthreads();

    float s[TILE / 8][4];
#pragma unroll
    for (int n = 0; n < TILE / 8; n++)
#pragma unroll
      for (int i = 0; i < 4; i++) s[n][i] = 0.f;
#ifdef KV_8BIT
    convert(tile & 1);
    __syncthreads();
    const u32 keysAt = base, valuesAt = base + TILE * STRIDE;
#else
    const u32 keysAt = buffer(tile & 1, 0), valuesAt = buffer(tile & 1, 1);
#endif
#pragma unroll
    for (int k = 0; k < HEAD_DIM / 16; k++)
#pragma unroll
      for (int n = 0; n < TILE / 16; n++) {
        // Four 8x8 matrices: keys n*16..+7 and +8..+15, each at d and d + 8.
        const Vec16 b =
            load_matrices(keysAt + (n * 16 + (lane & 7) + (lane >> 4) * 8) * STRIDE + k * 32 + ((lane >> 3) & 1) * 16);
        mma16816(s[2 * n], q[k], b.w[0], b.w[1]);
        mma16816(s[2 * n + 1], q[k], b.w[2], b.w[3]);
      }

    const int firstOfWarp = position0 + warp * 16;
    // Where a window hides a query's first tile, its keys get equal weights, which the first key that it sees makes 0.
    const bool masked =
        tile * TILE + TILE - 1 > firstOfWarp || !in_window(tile * TILE, first_visible(firstOfWarp + 15, a.window));
    float best[2] = {top[0], top[1]};
#pragma unroll
    for (int n = 0; n < TILE / 8; n++)
#pragma unroll
      for (int i = 0; i < 4; i++) {
        s[n][i] = capped_score(s[n][i] * scale);
        if (masked) {
          const int key = tile * TILE + n * 8 + t * 2 + (i & 1), position = position0 + ((i >> 1) ? q1 : q0);
          if (key > position || !in_window(key, first_visible(position, a.window))) s[n][i] = MASKED_SCORE;
        }
        best[i >> 1] = fmaxf(best[i >> 1], s[n][i]);
      }
#pragma unroll
    for (int j = 0; j < 2; j++) {
      best[j] = fmaxf(best[j], __shfl_xor_sync(0xffffffffu, best[j], 1));
      best[j] = fmaxf(best[j], __shfl_xor_sync(0xffffffffu, best[j], 2));
      const float factor = exp2f(top[j] - best[j]);
      top[j] = best[j];
      total[j] *= factor;
#pragma unroll
      for (int n = 0; n < HEAD_DIM / 8; n++) acc[n][2 * j] *= factor, acc[n][2 * j + 1] *= factor;
    }
#pragma unroll
    for (int n = 0; n < TILE / 8; n++)
#pragma unroll
      for (int i = 0; i < 4; i++) {
        s[n][i] = exp2f(s[n][i] - top[i >> 1]);
        total[i >> 1] += s[n][i];
      }
#pragma unroll
    for (int k = 0; k < TILE / 16; k++) {
      const u32 p[4] = {pack_act(s[2 * k][0], s[2 * k][1]), pack_act(s[2 * k][2], s[2 * k][3]),
                        pack_act(s[2 * k + 1][0], s[2 * k + 1][1]), pack_act(s[2 * k + 1][2], s[2 * k + 1][3])};
#pragma unroll
      for (int n = 0; n < HEAD_DIM / 16; n++) {
        const Vec16 b =
            load_matrices_transposed(valuesAt + (k * 16 + (lane & 15)) * STRIDE + n * 32 + (lane >> 4) * 16);
        mma16816(acc[2 * n], p, b.w[0], b.w[1]);
        mma16816(acc[2 * n + 1], p, b.w[2], b.w[3]);
      }
    }
    __syncthreads();
  }

#pragma unroll
  for (int j = 0; j < 2; j++) {
    total[j] += __shfl_xor_sync(0xffffffffu, total[j], 1);
    total[j] += __shfl_xor_sync(0xffffffffu, total[j], 2);
    const int query = j ? q1 : q0;
    if (query >= queries) continue;
    const float inverse = 1.f / total[j];
    u16* to = a.out + ((size_t)(first + query) * a.heads + head) * HEAD_DIM + t * 2;
#pragma unroll
    for (int n = 0; n < HEAD_DIM / 8; n++)
      *(u32*)(to + n * 8) = pack_act(acc[n][2 * j] * inverse, acc[n][2 * j + 1] * inverse);
  }
}
