// Small matrix products with accumulators in registers.
#pragma once
#include "ops/cpu/simd.h"
#include <utility>

namespace aloft::ALOFT_ISA {

// A right-hand side [depth, columns] of numbers in memory.
struct Numbers {
  const float* b;
  int64_t stride;

  F32x16 vector(int64_t k, int64_t v) const { return load(b + k * stride + v * lanes); }
};

// B gives sixteen columns of a row: vector(row, index of the vector).
template <typename B> struct Product {
  const float* a;  // [rows, depth]
  int64_t aStride;
  const B& b;
  int64_t firstVector;  // of b
  float* c;             // [rows, columns]
  int64_t cStride;
  int64_t depth;
};

// c += a b for rows x (16 * vectors). Each element is one chain of fused multiply-adds in the order of depth, started
// from zero, so its bits do not depend on the shape of the tile it fell into. The pragmas keep the sums in registers
// from start to end: GCC 12 unrolls the loops too late to see that it could.
template <int rows, int vectors, typename B> void productTile(const Product<B>& p) {
  F32x16 sum[rows][vectors];
#pragma GCC unroll 8
  for (int r = 0; r < rows; r++)
#pragma GCC unroll 8
    for (int v = 0; v < vectors; v++) sum[r][v] = broadcast(0.0f);
  const B b = p.b;
  for (int64_t k = 0; k < p.depth; k++) {
    F32x16 column[vectors];
#pragma GCC unroll 8
    for (int v = 0; v < vectors; v++) column[v] = b.vector(k, p.firstVector + v);
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
      float* at = p.c + r * p.cStride + v * lanes;
      store(at, load(at) + sum[r][v]);
    }
  }
}

template <typename B> struct ProductTiles {
  void (*tile[tileRows * tileVectors])(const Product<B>&);
};

template <typename B, int... i> constexpr ProductTiles<B> makeProductTiles(std::integer_sequence<int, i...>) {
  return {{productTile<i / tileVectors + 1, i % tileVectors + 1, B>...}};
}

template <typename B>
constexpr ProductTiles<B> productTiles = makeProductTiles<B>(std::make_integer_sequence<int, tileRows * tileVectors>());

// c += a b for any number of rows and of 16-column vectors.
template <typename B> inline void product(const Product<B>& p, int64_t rows, int64_t vectors) {
  for (int64_t v = 0; v < vectors; v += tileVectors) {
    const int64_t vectorCount = vectors - v < tileVectors ? vectors - v : tileVectors;
    for (int64_t r = 0; r < rows; r += tileRows) {
      const int64_t rowCount = rows - r < tileRows ? rows - r : tileRows;
      const Product<B> part = {p.a + r * p.aStride, p.aStride, p.b, p.firstVector + v, p.c + r * p.cStride + v * lanes,
                               p.cStride,           p.depth};
      productTiles<B>.tile[(rowCount - 1) * tileVectors + vectorCount - 1](part);
    }
  }
}

}  // namespace aloft::ALOFT_ISA
