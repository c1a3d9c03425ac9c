// Prefill attention on warpgroups over the cache as it is.
#include "paged-attention/prefill-wgmma.cuh"
#ifdef KV_8BIT
#include "paged-attention/prefill-convert.cuh"
typedef PrefillConverter CacheProducer;
#else
#include "paged-attention/prefill-copies.cuh"

// Boxes of a paged cache of 16 bits: the largest power of two of rows that divides a cache block, so that no box leaves
// its block.
struct PagedBoxes {
  static constexpr int LARGEST = BLOCK_TOKENS & -BLOCK_TOKENS;
  static constexpr int ROWS = LARGEST < TILE ? LARGEST : TILE, UNCLEAN_ROWS = ROWS;
  static_assert(ROWS >= 8, "see prefillKernelFor in cuda.ts");

  // Beyond the keys it is outside of the cache and reads as zeros.
  static __device__ __forceinline__ int key_vector(const PrefillFiller& f, const PrefillWork& w, int position) {
    if (position >= w.keys()) return -(1 << 30);
    return f.a.firstVector + f.table[position / BLOCK_TOKENS] * f.a.blockVectors + w.head / GROUP * BLOCK_TOKENS +
           position % BLOCK_TOKENS;
  }
  static __device__ __forceinline__ int values_after(const WgmmaPrefillView& a) { return a.kvHeads * BLOCK_TOKENS; }
};
typedef PrefillCopier<PagedBoxes> CacheProducer;
#endif

extern "C" __global__ void __launch_bounds__((WARPGROUPS + 1) * 128, 1)
    attention_prefill_wgmma(const __grid_constant__ WgmmaPrefillArgs args) {
  attend_prefill<CacheProducer>(WgmmaPrefillView{args, &args.qkvMap, &args.cacheMap});
}
