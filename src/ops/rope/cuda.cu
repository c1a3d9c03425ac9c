// Rotates q and k of the step's tokens in place and appends k and v to a layer of the paged cache.
// Rows with a single new token are left to the decode kernel of attention, which does this itself.
// Cache of a block: [layer][key, value][kvHead][token][headDim]; `cache` points to the layer in block 0.
#include "cuda/act.cuh"
#include "cuda/launch.cuh"
#include "cuda/memory.cuh"

// A thread takes 8 pairs (i, i + headDim / 2) of one head: blockIdx.y is the token, x covers heads and pairs.
extern "C" __global__ void rope_append(u16* qkv, u16* cache, const float* cosTable, const float* sinTable, const int* positions,
                                       const int* tokenRows, const int* rowOffsets, const int* blockTables, u64 blockStride,
                                       int heads, int kvHeads, int maxBlocks) {
  allow_successor();
  wait_predecessor();
  constexpr int HALF = HEAD_DIM / 2, VECTORS = HALF / 8;
  const int index = blockIdx.x * blockDim.x + threadIdx.x, token = blockIdx.y;
  const int head = index / VECTORS, pair = index % VECTORS * 8;
  const int row = tokenRows[token];
  if (head >= heads + 2 * kvHeads || rowOffsets[row + 1] - rowOffsets[row] == 1) return;
  u16* at = qkv + ((size_t)token * (heads + 2 * kvHeads) + head) * HEAD_DIM + pair;
  Vec16 low = load16(at), high = load16(at + HALF);
  const int position = positions[token];
  if (head < heads + kvHeads) {
    float a[8], b[8];
    unpack8(low, a);
    unpack8(high, b);
#pragma unroll
    for (int i = 0; i < 8; i++) {
      const float c = __ldg(cosTable + (size_t)position * HALF + pair + i), s = __ldg(sinTable + (size_t)position * HALF + pair + i);
      const float x = a[i], y = b[i];
      a[i] = x * c - y * s;
      b[i] = y * c + x * s;
    }
    low = pack8(a);
    high = pack8(b);
    store16(at, low);
    store16(at + HALF, high);
  }
  if (head >= heads) {
    const int isValue = head >= heads + kvHeads, kvHead = head - heads - isValue * kvHeads;
    const int block = blockTables[(size_t)row * maxBlocks + position / BLOCK_TOKENS];
    u16* to = cache + block * blockStride + (((size_t)isValue * kvHeads + kvHead) * BLOCK_TOKENS + position % BLOCK_TOKENS) * HEAD_DIM + pair;
    store16(to, low);
    store16(to + HALF, high);
  }
}
