// out[t] = factor * table[tokenIds[t]]; an id of -1 takes the token that was last sampled for the row's slot
// (0 when sampling found no possible token).
#include "cuda/act.cuh"
#include "cuda/launch.cuh"
#include "cuda/memory.cuh"

struct EmbeddingArgs {
  const void* table;      // [vocabulary, hidden], activations or int8
  const float* scale;     // [vocabulary] of an int8 table
  const int* tokenIds;    // [tokens]
  const int* tokenRows;   // [tokens]
  const int* rowSlots;    // [rows]
  const int* lastTokens;  // [slots]
  u16* out;               // [tokens, hidden]
  int hidden;
  float factor;
};

__device__ __forceinline__ int id_of(const EmbeddingArgs& a, int token) {
  const int id = a.tokenIds[token];
  return id >= 0 ? id : max(0, a.lastTokens[a.rowSlots[a.tokenRows[token]]]);
}

// One block a token.
extern "C" __global__ void embedding(const EmbeddingArgs a) {
  allow_successor();
  wait_predecessor();
  const u16* row = (const u16*)a.table + (size_t)id_of(a, blockIdx.x) * a.hidden;
  for (int i = threadIdx.x * 8; i < a.hidden; i += blockDim.x * 8) {
    Vec16 values = load16(row + i);
    if (a.factor != 1.f) {
      float x[8];
      unpack8(values, x);
#pragma unroll
      for (int j = 0; j < 8; j++) x[j] *= a.factor;
      values = pack8(x);
    }
    store16(a.out + (size_t)blockIdx.x * a.hidden + i, values);
  }
}

// The same from int8 rows with one scale each.
extern "C" __global__ void embedding_int8(const EmbeddingArgs a) {
  allow_successor();
  wait_predecessor();
  const int id = id_of(a, blockIdx.x);
  const i8* row = (const i8*)a.table + (size_t)id * a.hidden;
  const float scale = a.scale[id] * a.factor;
  for (int i = threadIdx.x; i < a.hidden; i += blockDim.x)
    a.out[(size_t)blockIdx.x * a.hidden + i] = float_to_act(row[i] * scale);
}
