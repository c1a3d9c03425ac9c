// Arguments of the kernels of experts, and what they share.
#pragma once
#include "cuda/types.cuh"

#define EXPERT_WARPS 8

struct ExpertArgs {
  const u16* x;         // [tokens, in]; for expert_down [tokens, perToken * in]
  const float* routes;  // [tokens, 2 * perToken]
  const void* weight;   // [experts * rows, in], activations, int8 or E4M3; int4 in tiles, see weights.cuh
  const float* scale;   // [experts * rows] of int8 and E4M3
  u16* out;             // [tokens, perToken * columns]; for expert_down [tokens, columns]
  int in, columns, perToken;
};
