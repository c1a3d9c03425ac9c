// Arguments of the kernels of wide.cu, wide8.cu and widef8.cu.
#pragma once
#include "cuda/async.cuh"
#include "cuda/types.cuh"

struct WideScalars {
  const float* scale;  // [n] of an int8 or fp8 weight
  const u16* bias;     // [n] or null
  void* out;           // [m, outStride]
  int m, n, k, outStride, stageCount;
};
struct WideArgs : WideScalars {
  TensorMap xMap;       // [rows, k] activations, box 64 x 8 TOKEN_GROUPS
  TensorMap weightMap;  // tiles, box BOXES x tiles of a block (with SWIGLU: half of them)
};
struct Wide8Args : WideScalars {
  TensorMap xMap;           // [rows, k rounded up to 128] bytes, box 128 x 8 TOKEN_GROUPS
  TensorMap weightMap;      // as in WideArgs
  const float* inputScale;  // [m]
};
// The arguments as code uses them, see async.cuh.
struct WideView : WideScalars {
  const TensorMap *xMap, *weightMap;
  const float* inputScale;  // null where x is in activations
};
