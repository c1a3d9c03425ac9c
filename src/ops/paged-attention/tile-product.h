// Small matrix products with accumulators in registers.
#pragma once
#include "ops/cpu/simd.h"
#include <utility>

namespace aloft::ALOFT_ISA {

struct Product {
  const float *a; // [rows, depth]
  int64_t aStride;
  const float *b; // [depth, columns]
  int64_t bStride;
  float *c; // [rows, columns]
  int64_t cStride;
  int64_t depth;
};

// c += a b for rows x (16 * vectors). Each element is one chain of fused multiply-adds in the order of depth, started from
// zero, so its bits do not depend on the shape of the tile it fell into.
// The pragmas keep the sums in registers from start to end: GCC 12 unrolls the loops too late to see that it could.
template <int rows, int vectors> void productTile(const Product &p) {
  F32x16 sum[rows][vectors];
#pragma GCC unroll 8
  for (int r = 0; r < rows; r++)
#pragma GCC unroll 8
    for (int v = 0; v < vectors; v++) sum[r][v] = broadcast(0.0f);
  for (int64_t k = 0; k < p.depth; k++) {
    F32x16 column[vectors];
#pragma GCC unroll 8
    for (int v = 0; v < vectors; v++) column[v] = load(p.b + k * p.bStride + v * lanes);
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++) {
      const F32x16 factor = broadcast(p.a[r * p.aStride + k]);
#pragma GCC unroll 8
      for (int v = 0; v < vectors; v++) sum[r][v] = fma(factor, column[v], sum[r][v]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < rows; r++) {
#pragma GCC unroll 8
    for (int v = 0; v < vectors; v++) {
      float *at = p.c + r * p.cStride + v * lanes;
      store(at, load(at) + sum[r][v]);
    }
  }
}

struct ProductTiles {
  void (*tile[tileRows * tileVectors])(const Product &);
};

template <int... i> constexpr ProductTiles makeProductTiles(std::integer_sequence<int, i...>) {
  return {{productTile<i / tileVectors + 1, i % tileVectors + 1>...}};
}

constexpr ProductTiles productTiles = makeProductTiles(std::make_integer_sequence<int, tileRows * tileVectors>());

// c += a b for any number of rows and of 16-column vectors.
inline void product(const Product &p, int64_t rows, int64_t vectors) {
  for (int64_t v = 0; v < vectors; v += tileVectors) {
    const int64_t vectorCount = vectors - v < tileVectors ? vectors - v : tileVectors;
    for (int64_t r = 0; r < rows; r += tileRows) {
      const int64_t rowCount = rows - r < tileRows ? rows - r : tileRows;
      Product part = p;
      part.a += r * p.aStride;
      part.b += v * lanes;
      part.c += r * p.cStride + v * lanes;
      productTiles.tile[(rowCount - 1) * tileVectors + vectorCount - 1](part);
    }
  }
}

} // namespace aloft::ALOFT_ISA
