// Arguments of the kernels that make weights dense.
#pragma once
#include "cuda/types.cuh"

struct DequantiseArgs {
  const u8* tiles;     // quantised, see weights.cuh
  const float* scale;  // [n] of an int8 or fp8 weight
  u16* out;            // [n, k]
  int n, k;
};
