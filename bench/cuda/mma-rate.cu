// Cycles that a product of a warp takes (16 rows by 16 k by 8 tokens, f16 with f32 sums), alone and beside what makes
// its weights into operands: logical operations, additions of pairs. It needs no data.
//
//   nvcc -std=c++17 -arch=sm_90a -O3 -Isrc/ops -cudart static -o mma-rate bench/cuda/mma-rate.cu && ./mma-rate
//
// A line: cycles for a product, by warps that share a scheduler. An operand of weights is used for two groups of
// tokens, as with 9 to 16 rows, and each is new, as are the tokens.
#include "cuda/memory.cuh"
#include "cuda/mma.cuh"
#include "cuda/pairs.cuh"
#include <cstdio>
#include "timed-graph.cuh"

constexpr int OPERANDS = 8, TILES = 2, GROUPS = 2, ROUNDS = 500, MOST_BLOCKS = 256;
__device__ long long cycles[MOST_BLOCKS];

// LOGICAL and ADDITIONS for each word of an operand.
template <int LOGICAL, int ADDITIONS>
__global__ void products(u32 seed, float* out) {
  float sums[TILES][GROUPS][4] = {};
  u32 weights[OPERANDS][4], tokens[OPERANDS][4];
  for (int i = 0; i < OPERANDS; i++)
    for (int j = 0; j < 4; j++) {
      weights[i][j] = kept(seed * (threadIdx.x + i * 77 + j * 9));
      tokens[i][j] = kept(seed * (threadIdx.x + i * 5 + j));
    }
  const u32 mask = kept(0x000f000fu * seed), bits = kept(0x64006400u * seed);
  const long long begin = clock64();
#pragma unroll 1
  for (int round = 0; round < ROUNDS; round++)
#pragma unroll
    for (int i = 0; i < OPERANDS; i++)
#pragma unroll
      for (int tile = 0; tile < TILES; tile++) {
        u32(&operand)[4] = weights[(i * TILES + tile) % OPERANDS];
#pragma unroll
        for (int word = 0; word < 4; word++) {
          // Each changes its word, so that none is left out or moved out of the loop.
          if (LOGICAL) operand[word] = kept(masked_with(operand[word], mask, bits));
          if (ADDITIONS) operand[word] = kept(add_pairs(operand[word], bits));
        }
#pragma unroll
        for (int group = 0; group < GROUPS; group++)
          mma16816(sums[tile][group], operand, tokens[i][group * 2], tokens[i][group * 2 + 1]);
      }
  if (threadIdx.x == 0) cycles[blockIdx.x] = clock64() - begin;
  float sum = 0.f;
  for (const auto& tile : sums)
    for (const auto& group : tile)
      for (const float value : group) sum += value;
  if (sum == 1.25f) *out = sum;
}

template <int LOGICAL, int ADDITIONS>
static void measure(const char* name, int blocks) {
  printf("%-44s", name);
  for (const int warps : {1, 2, 4}) {
    for (int i = 0; i < 2; i++) products<LOGICAL, ADDITIONS><<<blocks, warps * 4 * 32, 0, stream>>>(3, nullptr);
    CHECK(cudaStreamSynchronize(stream));
    long long taken[MOST_BLOCKS];
    CHECK(cudaMemcpyFromSymbol(taken, cycles, sizeof taken));
    printf("  %d: %5.2f", warps, (double)taken[0] / (ROUNDS * OPERANDS * TILES * GROUPS * warps));
  }
  printf("\n");
}

int main() {
  CHECK(cudaStreamCreate(&stream));
  cudaDeviceProp properties;
  CHECK(cudaGetDeviceProperties(&properties, 0));
  const int blocks = properties.multiProcessorCount < MOST_BLOCKS ? properties.multiProcessorCount : MOST_BLOCKS;
  printf("%s; warps of a scheduler: cycles for a product\n", properties.name);
  measure<0, 0>("products", blocks);
  measure<1, 0>("and a logical operation for each word", blocks);
  measure<0, 1>("and an addition for each word", blocks);
  measure<1, 1>("and both", blocks);
  return 0;
}
