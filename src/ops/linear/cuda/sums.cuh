// Sums of a warp's products of 16 rows by 16 k by tokens, with or without groups of k that have scales of their own.
#pragma once
#include "cuda/mma.cuh"
#include "cuda/types.cuh"

// Sums of 16 rows by TOKEN_GROUPS of 8 tokens. Those of a group of k join the others when the group is complete.
template <int TOKEN_GROUPS>
struct Sums {
  float all[TOKEN_GROUPS][4], group[TOKEN_GROUPS][4], scale[2];

  __device__ __forceinline__ void clear() {
#pragma unroll
    for (int n = 0; n < TOKEN_GROUPS; n++)
#pragma unroll
      for (int i = 0; i < 4; i++) all[n][i] = 0.f;
  }

  // Adds a product of rows f and tokens x, of which it takes words 2 `product` and 2 `product` + 1. W is the format of
  // the weights, `place` the product's place in a tile, and `source` has the tile's scales.
  template <typename W, int PIECES, typename Source>
  __device__ __forceinline__ void add(const u32 (&f)[4], const Vec16 (&x)[TOKEN_GROUPS][PIECES], int product, int place,
                                      const Source& source) {
    constexpr int PRODUCTS = W::GROUP_PRODUCTS;
    const int piece = product >> 1, word = (product & 1) * 2;
    if constexpr (PRODUCTS == 0) {
#pragma unroll
      for (int n = 0; n < TOKEN_GROUPS; n++) mma16816(all[n], f, x[n][piece].w[word], x[n][piece].w[word + 1]);
    } else {
      const bool isFirst = place % PRODUCTS == 0, isLast = place % PRODUCTS == PRODUCTS - 1;
      if (isFirst)
#pragma unroll
        for (int i = 0; i < 2; i++) scale[i] = W::scale_of(source, place / PRODUCTS, i);
#pragma unroll
      for (int n = 0; n < TOKEN_GROUPS; n++) {
        if (isFirst)
#pragma unroll
          for (int i = 0; i < 4; i++) group[n][i] = 0.f;
        mma16816(group[n], f, x[n][piece].w[word], x[n][piece].w[word + 1]);
        if (isLast)
#pragma unroll
          for (int i = 0; i < 4; i++) all[n][i] += group[n][i] * scale[i >> 1];
      }
    }
  }
};
