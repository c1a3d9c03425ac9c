// Linear layers over 1 to 16 rows on devices without rings of bulk copies: the time is that of reading the weights once.
//
// Tensor cores multiply 16 weight rows by 8 tokens. Weights are the A operand and come from global memory straight into
// registers, 16 bytes a thread. int8 tiles lie as operands (tiles.ts). Of a dense row, a thread takes 16 consecutive bytes:
// the order of k inside a product is free as long as both operands agree. Warps of a block share rows and divide k; their
// sums meet in shared memory. The order of additions depends on the kernel's shape only, never on the other tokens.
//
// Weights: dense [n, k] row-major; int8 in tiles of 16 rows x 64 k: [n/16][k/64][rows 0-7, 8-15][lane][16 bytes].
#include "cuda/act.cuh"
#include "cuda/int8.cuh"
#include "cuda/launch.cuh"
#include "cuda/memory.cuh"
#include "cuda/mma.cuh"
#include "linear/cuda/epilogue.cuh"

// Taken as __grid_constant__: with these in registers, fewer blocks share a multiprocessor.
struct StreamArgs {
  const u16* x;        // [m, k] activations
  const u8* weight;    // in its format
  const float* scale;  // [n] of an int8 weight
  const u16* bias;     // [n] or null
  void* out;           // [m, outStride]
  int m, n, k, outStride;
};

template <bool INT8>
struct Chunk {
  Vec16 low, high;  // rows g and g + 8 of the tile
};

// One chunk is 32 k of a dense weight or 64 k of an int8 one: 16 bytes a thread and row.
template <bool INT8>
__device__ __forceinline__ void load_chunk(Chunk<INT8>& c, const StreamArgs& a, int row, int chunk) {
  const int lane = threadIdx.x & 31;
  if (INT8) {
    const u8* tile = a.weight + ((size_t)(row >> 4) * ((a.k + 63) >> 6) + chunk) * 1024 + lane * 16;
    c.low = load_stream(tile);
    c.high = load_stream(tile + 512);
  } else {
    const int k = chunk * 32 + (lane & 3) * 8;
    const int r0 = row + (lane >> 2), r1 = r0 + 8;
    c.low = k < a.k && r0 < a.n ? load_stream(a.weight + ((size_t)r0 * a.k + k) * 2) : zero16();
    c.high = k < a.k && r1 < a.n ? load_stream(a.weight + ((size_t)r1 * a.k + k) * 2) : zero16();
  }
}

template <int TOKEN_GROUPS, int PARTS>
struct Tokens {
  Vec16 v[TOKEN_GROUPS][PARTS];
};

// The k indices of a chunk, 8 a Vec16, of this thread's token in each group of 8: consecutive ones for a dense weight, and for an
// int8 one two of each 8, as its tiles have them.
template <int TOKEN_GROUPS, int PARTS>
__device__ __forceinline__ void load_tokens(Tokens<TOKEN_GROUPS, PARTS>& tokens, const StreamArgs& a, int chunk) {
  constexpr bool INT8 = PARTS == 2;
  const int lane = threadIdx.x & 31, t = lane & 3;
#pragma unroll
  for (int n = 0; n < TOKEN_GROUPS; n++) {
    const int token = n * 8 + (lane >> 2), k0 = chunk * 32 * PARTS;
    const u16* x = a.x + (size_t)token * a.k + k0;
    if (!INT8) tokens.v[n][0] = token < a.m && k0 + t * 8 < a.k ? load16(x + t * 8) : zero16();
#pragma unroll
    for (int i = 0; i < (INT8 ? 8 : 0); i++)
      tokens.v[n][i >> 2].w[i & 3] = token < a.m && k0 + i * 8 < a.k ? load4(x + i * 8 + t * 2) : 0;
  }
}

template <bool INT8, int TOKEN_GROUPS>
__device__ __forceinline__ void multiply(float (&acc)[TOKEN_GROUPS][4], const Chunk<INT8>& c,
                                         const Tokens<TOKEN_GROUPS, INT8 ? 2 : 1>& t) {
  if (INT8) {
#pragma unroll
    for (int i = 0; i < 4; i++) {
      u32 a[4];
      dequantise4(c.low.w[i], a[0], a[2]);
      dequantise4(c.high.w[i], a[1], a[3]);
#pragma unroll
      for (int n = 0; n < TOKEN_GROUPS; n++)
        mma16816(acc[n], a, t.v[n][i >> 1].w[(i & 1) * 2], t.v[n][i >> 1].w[(i & 1) * 2 + 1]);
    }
  } else {
#pragma unroll
    for (int i = 0; i < 2; i++) {
      const u32 a[4] = {c.low.w[2 * i], c.high.w[2 * i], c.low.w[2 * i + 1], c.high.w[2 * i + 1]};
#pragma unroll
      for (int n = 0; n < TOKEN_GROUPS; n++) mma16816(acc[n], a, t.v[n][0].w[2 * i], t.v[n][0].w[2 * i + 1]);
    }
  }
}

// TOKEN_GROUPS of 8 tokens, WARPS that divide k, TILES of 16 rows in a block (with SWIGLU: gate and up), STAGES chunks in flight.
template <bool INT8, int TOKEN_GROUPS, int WARPS, int TILES, int STAGES, Epilogue EPILOGUE>
__device__ __forceinline__ void linear_stream(const StreamArgs& a) {
  constexpr int PARTS = INT8 ? 2 : 1;
  const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
  const int rowsApart = EPILOGUE == SWIGLU ? a.n / 2 : 16;
  const int row0 = blockIdx.x * 16 * (EPILOGUE == SWIGLU ? 1 : TILES);
  const int chunkCount = (a.k + 32 * PARTS - 1) / (32 * PARTS);

  allow_successor();
  Chunk<INT8> chunks[STAGES][TILES];
#pragma unroll
  for (int s = 0; s < STAGES; s++)
    if (warp + s * WARPS < chunkCount)
#pragma unroll
      for (int r = 0; r < TILES; r++) load_chunk<INT8>(chunks[s][r], a, row0 + r * rowsApart, warp + s * WARPS);
  wait_predecessor();

  float acc[TILES][TOKEN_GROUPS][4];
#pragma unroll
  for (int r = 0; r < TILES; r++)
#pragma unroll
    for (int n = 0; n < TOKEN_GROUPS; n++)
#pragma unroll
      for (int i = 0; i < 4; i++) acc[r][n][i] = 0.f;

  Tokens<TOKEN_GROUPS, PARTS> tokens[STAGES];
#pragma unroll
  for (int s = 0; s < STAGES; s++)
    if (warp + s * WARPS < chunkCount) load_tokens<TOKEN_GROUPS, PARTS>(tokens[s], a, warp + s * WARPS);
  for (int base = warp; base < chunkCount; base += WARPS * STAGES) {
#pragma unroll
    for (int s = 0; s < STAGES; s++) {
      const int chunk = base + s * WARPS, next = chunk + WARPS * STAGES;
      if (chunk < chunkCount) {
#pragma unroll
        for (int r = 0; r < TILES; r++) multiply<INT8, TOKEN_GROUPS>(acc[r], chunks[s][r], tokens[s]);
        if (next < chunkCount) {
#pragma unroll
          for (int r = 0; r < TILES; r++) load_chunk<INT8>(chunks[s][r], a, row0 + r * rowsApart, next);
          load_tokens<TOKEN_GROUPS, PARTS>(tokens[s], a, next);
        }
      }
    }
  }

  // [warp][tile][token][row]; rows are consecutive so that threads of a token store side by side.
  extern __shared__ float partial[];
  constexpr int TILE_FLOATS = TOKEN_GROUPS * 8 * 16;
#pragma unroll
  for (int r = 0; r < TILES; r++)
#pragma unroll
    for (int n = 0; n < TOKEN_GROUPS; n++)
#pragma unroll
      for (int i = 0; i < 4; i++) {
        const int token = n * 8 + (lane & 3) * 2 + (i & 1), row = (lane >> 2) + (i >> 1) * 8;
        partial[(warp * TILES + r) * TILE_FLOATS + token * 16 + row] = acc[r][n][i];
      }
  __syncthreads();

  constexpr int OUT_TILES = EPILOGUE == SWIGLU ? 1 : TILES;
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
      if (channel < a.n) {
        if (INT8) sum *= a.scale[channel];
        if (a.bias) sum += act_to_float(a.bias[channel]);
      }
      sums[j] = sum;
    }
    if (token < a.m && row < (EPILOGUE == SWIGLU ? a.n / 2 : a.n))
      store_sums<EPILOGUE>(a.out, (size_t)token * a.outStride + row, sums);
  }
}

#define STREAM_KERNEL(name, INT8, TOKEN_GROUPS, WARPS, TILES, STAGES, EPILOGUE)                                        \
  extern "C" __global__ void __launch_bounds__(WARPS * 32) name(const __grid_constant__ StreamArgs args) {             \
    linear_stream<INT8, TOKEN_GROUPS, WARPS, TILES, STAGES, EPILOGUE>(args);                                           \
  }

// A unit includes this file and makes its kernels with STREAM_KERNEL lines.
