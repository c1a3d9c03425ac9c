// out[t] = table[tokenIds[t]]; an id of -1 takes the token that was last sampled for the row's slot
// (0 when sampling found no possible token).
#include "cuda/act.cuh"
#include "cuda/launch.cuh"
#include "cuda/memory.cuh"

__device__ __forceinline__ int token_of(const int* tokenIds, const int* tokenRows, const int* rowSlots,
                                        const int* lastTokens, int token) {
  const int id = tokenIds[token];
  return id >= 0 ? id : max(0, lastTokens[rowSlots[tokenRows[token]]]);
}

// One block a token. table [vocab, hidden], out [tokens, hidden].
extern "C" __global__ void embedding(const u16* table, const int* tokenIds, const int* tokenRows, const int* rowSlots,
                                     const int* lastTokens, u16* out, int hidden) {
  allow_successor();
  wait_predecessor();
  const int id = token_of(tokenIds, tokenRows, rowSlots, lastTokens, blockIdx.x);
  for (int i = threadIdx.x * 8; i < hidden; i += blockDim.x * 8)
    store16(out + (size_t)blockIdx.x * hidden + i, load16(table + (size_t)id * hidden + i));
}

// The same from int8 rows with one scale each.
extern "C" __global__ void embedding_int8(const i8* table, const float* scale, const int* tokenIds, const int* tokenRows,
                                          const int* rowSlots, const int* lastTokens, u16* out, int hidden) {
  allow_successor();
  wait_predecessor();
  const int id = token_of(tokenIds, tokenRows, rowSlots, lastTokens, blockIdx.x);
  const float rowScale = scale[id];
  for (int i = threadIdx.x; i < hidden; i += blockDim.x)
    out[(size_t)blockIdx.x * hidden + i] = float_to_act(table[(size_t)id * hidden + i] * rowScale);
}
