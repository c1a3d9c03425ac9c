// Rotates q and k of the step's tokens in place and appends k and v to a layer of the paged cache.
// Rows with a single new token are left to the decode kernel of attention, which does this itself.
// kv-cache.cuh says how the cache lies in memory.
#include "cuda/act.cuh"
#include "cuda/launch.cuh"
#include "cuda/memory.cuh"
#include "rope/args.cuh"

// A thread takes 8 pairs (i, i + headDim / 2) of one head: blockIdx.y is the token, x covers heads and pairs.
extern "C" __global__ void rope_append(const RopeArgs args) {
  allow_successor();
  wait_predecessor();
  constexpr int HALF = HEAD_DIM / 2, VECTORS = HALF / 8;
  const int index = blockIdx.x * blockDim.x + threadIdx.x, token = blockIdx.y;
  const int head = index / VECTORS, pair = index % VECTORS * 8;
  const int row = args.tokenRows[token];
  if (head >= args.heads + 2 * args.kvHeads || args.rowOffsets[row + 1] - args.rowOffsets[row] == 1) return;
  u16* at = args.qkv + ((size_t)token * (args.heads + 2 * args.kvHeads) + head) * HEAD_DIM + pair;
  Vec16 low = load16(at), high = load16(at + HALF);
  const int position = args.positions[token];
  if (head < args.heads + args.kvHeads) {
    float a[8], b[8];
    unpack8(low, a);
    unpack8(high, b);
#pragma unroll
    for (int i = 0; i < 8; i++) {
      const float c = __ldg(args.cosTable + (size_t)position * HALF + pair + i),
                  s = __ldg(args.sinTable + (size_t)position * HALF + pair + i);
      const float x = a[i], y = b[i];
      a[i] = x * c - y * s;
      b[i] = y * c + x * s;
    }
    low = pack8(a);
    high = pack8(b);
    store16(at, low);
    store16(at + HALF, high);
  }
  if (head >= args.heads) {
    const int isValue = head >= args.heads + args.kvHeads, kvHead = head - args.heads - isValue * args.kvHeads;
    const int block = args.blockTables[(size_t)row * args.maxBlocks + position / BLOCK_TOKENS];
    u16* to = args.cache + block * args.blockStride +
              (((size_t)isValue * args.kvHeads + kvHead) * BLOCK_TOKENS + position % BLOCK_TOKENS) * HEAD_DIM + pair;
    store16(to, low);
    store16(to + HALF, high);
  }
}
