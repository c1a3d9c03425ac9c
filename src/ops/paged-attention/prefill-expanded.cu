// Prefill attention over a cache of 8 bits whose keys and values are made activations once, for all queries that see
// them: prefill-wgmma.cu makes them anew for each tile of queries.
#include "cuda/launch.cuh"
#include "paged-attention/kv-activations.cuh"
#include "paged-attention/prefill-copies.cuh"
#include "paged-attention/prefill-wgmma.cuh"

#define EXPAND_THREADS 256
#define VECTOR_THREADS (HEAD_DIM / 16)  // that expand a vector, 16 elements each
#define EXPAND_PASSES (TILE * VECTOR_THREADS / EXPAND_THREADS)

struct ExpandArgs {
  const KvElement* cache;     // of the layer, in block 0
  u16* expanded;              // [keyTiles, key or value, kvHeads, TILE, HEAD_DIM]
  const int* keyTiles;        // [keyTiles] row * 65536 + index of the group of TILE keys
  const int* contextLengths;  // [rows]
  const int* blockTables;     // [rows, maxBlocks]
  u64 blockStride;            // elements from one block to the next
  int maxBlocks;
};

// A block expands the keys and the values of a tile and a head. After the row's last key there are zeros.
extern "C" __global__ void __launch_bounds__(EXPAND_THREADS) expand_cache(const ExpandArgs a) {
  allow_successor();
  wait_predecessor();
  const int item = a.keyTiles[blockIdx.x], row = item >> 16, first = (item & 0xffff) * TILE;
  const int kvHead = blockIdx.y, kvHeads = gridDim.y, keys = a.contextLengths[row];
  const int* table = a.blockTables + (size_t)row * a.maxBlocks;
  const int part = threadIdx.x % VECTOR_THREADS;
  Vec16 codes[2][EXPAND_PASSES];
  float scales[2][EXPAND_PASSES];
#pragma unroll
  for (int pass = 0; pass < EXPAND_PASSES; pass++) {
    const int position = first + (pass * EXPAND_THREADS + threadIdx.x) / VECTOR_THREADS;
    const int block = position < keys ? table[position / BLOCK_TOKENS] : -1;
#pragma unroll
    for (int isValue = 0; isValue < 2; isValue++) {
      codes[isValue][pass] = zero16();
      scales[isValue][pass] = 0.f;
      if (block < 0) continue;
      const int token = position % BLOCK_TOKENS;
      codes[isValue][pass] = load16(a.cache + kv_offset(a.blockStride, block, isValue, kvHead, token) + part * 16);
      scales[isValue][pass] = *(const float*)(a.cache + kv_scale_offset(a.blockStride, block, isValue, kvHead, token));
    }
  }
#pragma unroll
  for (int isValue = 0; isValue < 2; isValue++) {
    u16* tile = a.expanded + (((size_t)blockIdx.x * 2 + isValue) * kvHeads + kvHead) * TILE * HEAD_DIM;
#pragma unroll
    for (int pass = 0; pass < EXPAND_PASSES; pass++) {
      const ScaleFactors factors = factors_of(scales[isValue][pass]);
      const Vec16& v = codes[isValue][pass];
      u16* to = tile + (size_t)(pass * EXPAND_THREADS + threadIdx.x) * 16;
      store16(to, scaled_activations(v.w[0], v.w[1], factors));
      store16(to + 8, scaled_activations(v.w[2], v.w[3], factors));
    }
  }
}

// A tile of expanded keys is a box.
struct ExpandedBoxes {
  static constexpr int ROWS = TILE, UNCLEAN_ROWS = 1;
  static __device__ __forceinline__ int key_vector(const PrefillFiller& f, const PrefillWork& w, int position) {
    const int tile = f.a.firstKeyTiles[f.item] + position / TILE;
    return (tile * 2 * f.a.kvHeads + w.head / GROUP) * TILE;
  }
  static __device__ __forceinline__ int values_after(const WgmmaPrefillView& a) { return a.kvHeads * TILE; }
};

extern "C" __global__ void __launch_bounds__((WARPGROUPS + 1) * 128, 1)
    attention_prefill_expanded(const __grid_constant__ WgmmaPrefillArgs args) {
  attend_prefill<PrefillCopier<ExpandedBoxes>>(WgmmaPrefillView{args, &args.qkvMap, &args.cacheMap});
}
