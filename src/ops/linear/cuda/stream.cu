// Linear layers over 1 to 16 rows on devices without rings of bulk copies: the time is that of reading the weights
// once.
//
// Tensor cores multiply 16 weight rows by 8 tokens. Weights are the first operand and come from global memory straight
// into registers, 16 bytes a row and thread; weights.cuh says how formats of weights become operands. Warps of a block
// share rows and divide k; their sums meet in shared memory. The order of additions depends on the kernel's shape only,
// never on the other tokens.
#include "cuda/act.cuh"
#include "cuda/launch.cuh"
#include "cuda/memory.cuh"
#include "cuda/mma.cuh"
#include "linear/cuda/epilogue.cuh"
#include "linear/cuda/sums.cuh"
#include "linear/cuda/weights.cuh"

// Taken as __grid_constant__: with these in registers, fewer blocks share a multiprocessor.
struct StreamArgs {
  const u16* x;        // [m, k] activations
  const u8* weight;    // in its format
  const float* scale;  // [n] of an int8 or fp8 weight
  const u16* bias;     // [n] or null
  void* out;           // [m, outStride]
  int m, n, k, outStride;
};

// Tokens that a chunk of weights is multiplied with.
template <WeightFormat FORMAT, int TOKEN_GROUPS>
struct Tokens {
  Vec16 v[TOKEN_GROUPS][Weights<FORMAT>::CHUNK_PRODUCTS / 2];
};

template <WeightFormat FORMAT, int TOKEN_GROUPS>
__device__ __forceinline__ void load_tokens(Tokens<FORMAT, TOKEN_GROUPS>& tokens, const StreamArgs& a, int chunk) {
  const int k0 = chunk * Weights<FORMAT>::CHUNK_K;
#pragma unroll
  for (int n = 0; n < TOKEN_GROUPS; n++) {
    const int token = n * 8 + ((threadIdx.x & 31) >> 2);
    Weights<FORMAT>::load_chunk_tokens(tokens.v[n], a.x + (size_t)token * a.k + k0, k0, a.k, token < a.m);
  }
}

template <WeightFormat FORMAT, int TOKEN_GROUPS>
__device__ __forceinline__ void multiply(Sums<TOKEN_GROUPS>& sums, const typename Weights<FORMAT>::Chunk& c,
                                         const Tokens<FORMAT, TOKEN_GROUPS>& t) {
  typedef Weights<FORMAT> W;
#pragma unroll
  for (int i = 0; i < W::CHUNK_PRODUCTS; i++) {
    u32 f[4];
    W::chunk_fragment(f, c, i);
    sums.template add<W>(f, t.v, i, i, c);
  }
}

// TOKEN_GROUPS of 8 tokens, WARPS that divide k, TILES of 16 rows in a block (with SWIGLU: gate and up), STAGES chunks
// in flight.
template <WeightFormat FORMAT, int TOKEN_GROUPS, int WARPS, int TILES, int STAGES, Epilogue EPILOGUE>
struct Stream {
  typedef Weights<FORMAT> W;
  // Places of a block: its first row, and from one tile of rows to the next.
  static __device__ __forceinline__ int first_row() { return blockIdx.x * 16 * (EPILOGUE == SWIGLU ? 1 : TILES); }
  static __device__ __forceinline__ int rows_apart(const StreamArgs& a) { return EPILOGUE == SWIGLU ? a.n / 2 : 16; }

  // The sums of this warp's part of k.
  static __device__ __forceinline__ void multiply_part(const StreamArgs& a, Sums<TOKEN_GROUPS> (&sums)[TILES]) {
    const int warp = threadIdx.x >> 5, row0 = first_row(), rowsApart = rows_apart(a);
    const int chunkCount = (a.k + W::CHUNK_K - 1) / W::CHUNK_K;
    typename W::Chunk chunks[STAGES][TILES];
#pragma unroll
    for (int s = 0; s < STAGES; s++)
      if (warp + s * WARPS < chunkCount)
#pragma unroll
        for (int r = 0; r < TILES; r++)
          W::load_chunk(chunks[s][r], a.weight, row0 + r * rowsApart, warp + s * WARPS, a.n, a.k);
    wait_predecessor();

#pragma unroll
    for (int r = 0; r < TILES; r++) sums[r].clear();

    Tokens<FORMAT, TOKEN_GROUPS> tokens[STAGES];
#pragma unroll
    for (int s = 0; s < STAGES; s++)
      if (warp + s * WARPS < chunkCount) load_tokens(tokens[s], a, warp + s * WARPS);
    for (int base = warp; base < chunkCount; base += WARPS * STAGES) {
#pragma unroll
      for (int s = 0; s < STAGES; s++) {
        const int chunk = base + s * WARPS, next = chunk + WARPS * STAGES;
        if (chunk < chunkCount) {
#pragma unroll
          for (int r = 0; r < TILES; r++) multiply<FORMAT, TOKEN_GROUPS>(sums[r], chunks[s][r], tokens[s]);
          if (next < chunkCount) {
#pragma unroll
            for (int r = 0; r < TILES; r++) W::load_chunk(chunks[s][r], a.weight, row0 + r * rowsApart, next, a.n, a.k);
            load_tokens(tokens[s], a, next);
          }
        }
      }
    }
  }

  // Puts a warp's sums into `partial`, [warp][tile][token][row]; rows are consecutive, so that threads of a token store
  // side by side.
  static __device__ __forceinline__ void put_sums(const Sums<TOKEN_GROUPS> (&sums)[TILES], float* partial) {
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
#pragma unroll
    for (int r = 0; r < TILES; r++)
#pragma unroll
      for (int n = 0; n < TOKEN_GROUPS; n++)
#pragma unroll
        for (int i = 0; i < 4; i++) {
          const int token = n * 8 + (lane & 3) * 2 + (i & 1), row = (lane >> 2) + (i >> 1) * 8;
          partial[(warp * TILES + r) * TOKEN_GROUPS * 8 * 16 + token * 16 + row] = sums[r].all[n][i];
        }
  }

  // Adds the parts of k and stores.
  static __device__ __forceinline__ void finish(const StreamArgs& a, const float* partial) {
    constexpr int TILE_FLOATS = TOKEN_GROUPS * 8 * 16, OUT_TILES = EPILOGUE == SWIGLU ? 1 : TILES;
    const int row0 = first_row(), rowsApart = rows_apart(a);
    for (int index = threadIdx.x; index < OUT_TILES * TILE_FLOATS; index += WARPS * 32) {
      const int r = index / TILE_FLOATS, within = index % TILE_FLOATS;
      const int token = within >> 4, row = row0 + r * 16 + (within & 15);
      float sums[2];
#pragma unroll
      for (int j = 0; j < (EPILOGUE == SWIGLU ? 2 : 1); j++) {
        float sum = 0.f;
#pragma unroll
        for (int w = 0; w < WARPS; w++) sum += partial[(w * TILES + r + j) * TILE_FLOATS + within];
        const int channel = row + j * rowsApart;
        if (channel < a.n)
          sum = finish_sum<W::IS_SCALED>(sum, load_channel<W::IS_SCALED>(channel, a.scale, a.bias), a.bias);
        sums[j] = sum;
      }
      if (token < a.m && row < (EPILOGUE == SWIGLU ? a.n / 2 : a.n))
        store_sums<EPILOGUE>(a.out, (size_t)token * a.outStride + row, sums);
    }
  }

  static __device__ __forceinline__ void run(const StreamArgs& a) {
    extern __shared__ float partial[];
    allow_successor();
    Sums<TOKEN_GROUPS> sums[TILES];
    multiply_part(a, sums);
    put_sums(sums, partial);
    __syncthreads();
    finish(a, partial);
  }
};

#define STREAM_KERNEL(name, FORMAT, TOKEN_GROUPS, WARPS, TILES, STAGES, EPILOGUE)                          \
  extern "C" __global__ void __launch_bounds__(WARPS * 32) name(const __grid_constant__ StreamArgs args) { \
    Stream<FORMAT, TOKEN_GROUPS, WARPS, TILES, STAGES, EPILOGUE>::run(args);                               \
  }

// A unit includes this file and makes its kernels with STREAM_KERNEL lines.
