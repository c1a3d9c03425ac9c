// From a warp's sums of wide.cu to the stored results.
#pragma once
#include "cuda/act.cuh"
#include "cuda/mma.cuh"
#include "linear/cuda/epilogue.cuh"
#include "linear/cuda/wide-args.cuh"

// WORK is the WideWork of the kernel. IS_SCALED: sums are multiplied with a scale of their row.
template <typename WORK, bool IS_SCALED, Epilogue EPILOGUE>
struct WideStore {
  // Rows g and g + 8 of 16 (with SWIGLU, a row of gate and its row of up), and what belongs to them.
  struct Rows {
    int low, high;
    float scale[2], bias[2];
  };
  static __device__ __forceinline__ Rows rows_of_tile(const WideView& a, int rowTile, int tile) {
    const int g = (threadIdx.x & 31) >> 2;
    Rows rows;
    rows.low = EPILOGUE == SWIGLU ? WORK::row_of(a, rowTile, tile >> 1) + (tile & 1) * 8 + g
                                  : WORK::row_of(a, rowTile, tile) + g;
    rows.high = EPILOGUE == SWIGLU ? rows.low + a.n / 2 : rows.low + 8;
#pragma unroll
    for (int i = 0; i < 2; i++) {
      const int row = i == 0 ? rows.low : rows.high;
      if (IS_SCALED) rows.scale[i] = row < a.n ? __ldg(a.scale + row) : 0.f;
      rows.bias[i] = a.bias && row < a.n ? act_to_float(__ldg(a.bias + row)) : 0.f;
    }
    return rows;
  }

  // Two rows of 8 of a group's token, 8 tokens a warp. n is even.
  static __device__ __forceinline__ void pairs(const WideView& a, int token0, int row0, float first, float second) {
    const int lane = threadIdx.x & 31, token = token0 + (lane >> 2), row = row0 + (lane & 3) * 2;
    const u32 pair = transpose_matrix(pack_act(first, second));
    if (token < a.m && row < a.outStride) *(u32*)((u16*)a.out + (size_t)token * a.outStride + row) = pair;
  }

  // sums: of a low row for tokens 2t and 2t + 1 of the group, and of a high row.
  static __device__ __forceinline__ void group(const WideView& a, const Rows& rows, int token0,
                                               const float (&sums)[4]) {
    const int lane = threadIdx.x & 31, g = lane >> 2;
    float value[4];
#pragma unroll
    for (int i = 0; i < 4; i++) value[i] = (IS_SCALED ? sums[i] * rows.scale[i >> 1] : sums[i]) + rows.bias[i >> 1];
    if (EPILOGUE == STORE) {
      pairs(a, token0, rows.low - g, value[0], value[1]);
      pairs(a, token0, rows.high - g, value[2], value[3]);
    }
    if (EPILOGUE == SWIGLU) {
#pragma unroll
      for (int i = 0; i < 2; i++) value[i] = swiglu_of_sums(value[i], value[2 + i]);
      pairs(a, token0, rows.low - g, value[0], value[1]);
    }
    if (EPILOGUE == STORE_F32)
#pragma unroll
      for (int i = 0; i < 4; i++) {
        const int token = token0 + (lane & 3) * 2 + (i & 1), row = i < 2 ? rows.low : rows.high;
        if (token < a.m && row < a.n) ((float*)a.out)[(size_t)token * a.outStride + row] = value[i];
      }
  }
};
