// Rotates q and k of the step's tokens in place and appends k and v to a layer of a paged cache of 8 bits, each with
// the scale of its vector. Rows with a single new token are left to the decode kernel of attention, which does this
// itself. kv-cache.cuh says how the cache lies in memory.
#include "cuda/act.cuh"
#include "cuda/launch.cuh"
#include "cuda/warp.cuh"
#include "paged-attention/kv-cache.cuh"
#include "rope/args.cuh"

// A warp takes one head of a token: blockIdx.y is the token, x covers the heads.
extern "C" __global__ void rope_append(const RopeArgs args) {
  allow_successor();
  wait_predecessor();
  constexpr int HALF = HEAD_DIM / 2, PAIRS = (HALF + 31) / 32;
  const int head = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32, lane = threadIdx.x & 31, token = blockIdx.y;
  const int row = args.tokenRows[token];
  if (head >= args.heads + 2 * args.kvHeads || args.rowOffsets[row + 1] - args.rowOffsets[row] == 1) return;
  u16* at = args.qkv + ((size_t)token * (args.heads + 2 * args.kvHeads) + head) * HEAD_DIM;
  const int position = args.positions[token];
  const bool rotates = head < args.heads + args.kvHeads;
  float low[PAIRS], high[PAIRS], largest = 0.f;
#pragma unroll
  for (int p = 0; p < PAIRS; p++) {
    const int pair = p * 32 + lane;
    low[p] = high[p] = 0.f;
    if (pair >= HALF) continue;
    low[p] = act_to_float(at[pair]);
    high[p] = act_to_float(at[pair + HALF]);
    if (rotates) {
      const float c = __ldg(args.cosTable + (size_t)position * HALF + pair),
                  s = __ldg(args.sinTable + (size_t)position * HALF + pair);
      const float x = low[p], y = high[p];
      low[p] = round_act(x * c - y * s);
      high[p] = round_act(y * c + x * s);
      at[pair] = float_to_act(low[p]);
      at[pair + HALF] = float_to_act(high[p]);
    }
    largest = fmaxf(largest, fmaxf(fabsf(low[p]), fabsf(high[p])));
  }
  if (head < args.heads) return;
  largest = warp_max(largest);
  const float inverse = kv_inverse_of(largest);
  const int isValue = !rotates, kvHead = head - args.heads - isValue * args.kvHeads;
  const int block = args.blockTables[(size_t)row * args.maxBlocks + position / BLOCK_TOKENS],
            within = position % BLOCK_TOKENS;
  u8* to = args.cache + kv_offset(args.blockStride, block, isValue, kvHead, within);
#pragma unroll
  for (int p = 0; p < PAIRS; p++) {
    const int pair = p * 32 + lane;
    if (pair >= HALF) continue;
    to[pair] = (u8)kv_encode(low[p] * inverse);
    to[pair + HALF] = (u8)kv_encode(high[p] * inverse);
  }
  if (lane == 0)
    *(float*)(args.cache + kv_scale_offset(args.blockStride, block, isValue, kvHead, within)) = kv_scale_of(largest);
}
