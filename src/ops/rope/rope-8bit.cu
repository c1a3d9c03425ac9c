// Rotates q and k of the step's tokens in place and appends k and v to a layer of a paged cache of 8 bits, each with
// the scale of its vector. Rows with a single new token are left to the decode kernel of attention, which does this
// itself. kv-cache.cuh says how the cache lies in memory.
#include "cuda/act.cuh"
#include "cuda/launch.cuh"
#include "cuda/memory.cuh"
#include "paged-attention/kv-cache.cuh"
#include "rope/args.cuh"

// Lanes of a head: a thread takes 8 pairs (i, i + headDim / 2), and as many as a power of two find the vector's scale.
#define HEAD_VECTORS (HEAD_DIM / 16)
#define HEAD_LANES (HEAD_VECTORS > 8 ? 16 : HEAD_VECTORS > 4 ? 8 : HEAD_VECTORS > 2 ? 4 : HEAD_VECTORS)
static_assert(HEAD_DIM % 16 == 0 && HEAD_VECTORS <= 16, "lanes hold whole vectors of pairs");

// blockIdx.y is the token, x covers heads and lanes.
extern "C" __global__ void rope_append(const RopeArgs args) {
  allow_successor();
  wait_predecessor();
  constexpr int HALF = HEAD_DIM / 2;
  const int index = blockIdx.x * blockDim.x + threadIdx.x, token = blockIdx.y;
  const int head = index / HEAD_LANES, lane = index % HEAD_LANES, pair = lane * 8;
  const int row = args.tokenRows[token], heads = args.heads + 2 * args.kvHeads;
  if (args.rowOffsets[row + 1] - args.rowOffsets[row] == 1) return;
  const bool isLive = head < heads && lane < HEAD_VECTORS, rotates = head < args.heads + args.kvHeads;
  u16* at = args.qkv + ((size_t)token * heads + head) * HEAD_DIM + pair;
  const int position = args.positions[token];
  float low[8], high[8];
  unpack8(isLive ? load16(at) : zero16(), low);
  unpack8(isLive ? load16(at + HALF) : zero16(), high);
  if (isLive && rotates) {
    const float *cosines = args.cosTable + (size_t)position * HALF + pair,
                *sines = args.sinTable + (size_t)position * HALF + pair;
#pragma unroll
    for (int i = 0; i < 8; i++) {
      const float c = __ldg(cosines + i), s = __ldg(sines + i), x = low[i], y = high[i];
      low[i] = round_act(x * c - y * s);
      high[i] = round_act(y * c + x * s);
    }
    store16(at, pack8(low));
    store16(at + HALF, pack8(high));
  }
  float largest = 0.f;
#pragma unroll
  for (int i = 0; i < 8; i++) largest = fmaxf(largest, fmaxf(fabsf(low[i]), fabsf(high[i])));
#pragma unroll
  for (int mask = HEAD_LANES / 2; mask > 0; mask >>= 1)
    largest = fmaxf(largest, __shfl_xor_sync(0xffffffffu, largest, mask));
  if (!isLive || head < args.heads) return;
  const float inverse = kv_inverse_of(largest);
  const int isValue = !rotates, kvHead = head - args.heads - isValue * args.kvHeads;
  const int block = args.blockTables[(size_t)row * args.maxBlocks + position / BLOCK_TOKENS],
            within = position % BLOCK_TOKENS;
  u8* to = args.cache + kv_offset(args.blockStride, block, isValue, kvHead, within) + pair;
  u32 codes[2][2] = {};
#pragma unroll
  for (int i = 0; i < 8; i++) {
    codes[0][i / 4] |= kv_encode(low[i] * inverse) << i % 4 * 8;
    codes[1][i / 4] |= kv_encode(high[i] * inverse) << i % 4 * 8;
  }
#pragma unroll
  for (int half = 0; half < 2; half++)
    asm volatile("st.global.v2.u32 [%0], {%1,%2};" ::"l"(to + half * HALF), "r"(codes[half][0]), "r"(codes[half][1])
                 : "memory");
  if (lane == 0)
    *(float*)(args.cache + kv_scale_offset(args.blockStride, block, isValue, kvHead, within)) = kv_scale_of(largest);
}
