// Arguments of the kernels of wide.cu.
#pragma once
#include "cuda/async.cuh"
#include "cuda/types.cuh"

struct WideScalars {
  const float* scale;  // [n] of an int8 weight
  const u16* bias;     // [n] or null
  void* out;           // [m, outStride]
  int m, n, k, outStride, stageCount;
};
struct WideArgs : WideScalars {
  TensorMap xMap;       // [rows, k] activations, box 64 x 8 TOKEN_GROUPS
  TensorMap weightMap;  // tiles, box BOXES x tiles of a block (with SWIGLU: half of them)
};
// The arguments as code uses them, see async.cuh.
struct WideView : WideScalars {
  const TensorMap *xMap, *weightMap;
};
