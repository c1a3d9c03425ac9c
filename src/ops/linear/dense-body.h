// Dense weights by fused multiply-add, at the vector width of the including file, which defines DENSE_NAME.
// Every output is one chain of multiply-adds over the inputs in order, however many tokens there are, so a token's result
// does not depend on the batch that it is in.
#include "kernels.h"
#include "vector.h"

namespace aloft {
namespace {

// Inputs that one pass of the inner loop takes from a tile.
template <LinearFormat format> constexpr int inputStep = format == LinearFormat::bf16 ? 2 : 1;
template <LinearFormat format> constexpr int64_t stepBytes = inputStep<format> * tileRows * (format == LinearFormat::f32 ? 4 : 2);

template <LinearFormat format, int Tokens, int Tiles> struct DenseBlock {
  static constexpr int vectors = Tiles * vectorsPerTile;

  // The weights of input `k + part` of all tiles.
  [[gnu::always_inline]] static inline void load(const uint8_t *const *stream, int part, Vector *weights) {
    for (int tile = 0; tile < Tiles; tile++) {
      for (int v = 0; v < vectorsPerTile; v++) {
        const int64_t bytes = v * lanes;
        Vector &out = weights[tile * vectorsPerTile + v];
        if constexpr (format == LinearFormat::f32) out = loadFloats(stream[tile] + bytes * 4);
        if constexpr (format == LinearFormat::f16) out = loadHalves(stream[tile] + bytes * 2);
        if constexpr (format == LinearFormat::bf16) {
          const Words pairs = loadWords(stream[tile] + bytes * 4);
          out = part == 0 ? evenBfloats(pairs) : oddBfloats(pairs);
        }
      }
    }
  }

  static void run(const LinearCall &call, int64_t token, int64_t tile) {
    Vector sums[Tokens][vectors] = {};
    const float *x[Tokens];
    for (int t = 0; t < Tokens; t++) x[t] = call.x + (token + t) * call.inCount;
    const uint8_t *stream[Tiles];
    for (int i = 0; i < Tiles; i++) stream[i] = tileAt(call, tile + i);

    const int64_t whole = call.inCount / inputStep<format> * inputStep<format>;
    for (int64_t k = 0; k < whole; k += inputStep<format>) {
      for (int i = 0; i < Tiles; i++) prefetch(stream[i]);
#pragma GCC unroll 2
      for (int part = 0; part < inputStep<format>; part++) {
        Vector weights[vectors];
        load(stream, part, weights);
        for (int t = 0; t < Tokens; t++) {
          const Vector value = broadcast(x[t][k + part]);
          for (int v = 0; v < vectors; v++) sums[t][v] = multiplyAdd(weights[v], value, sums[t][v]);
        }
      }
      for (int i = 0; i < Tiles; i++) stream[i] += stepBytes<format>;
    }
    if (whole < call.inCount) { // an odd number of inputs: the last pair has one
      Vector weights[vectors];
      load(stream, 0, weights);
      for (int t = 0; t < Tokens; t++) {
        const Vector value = broadcast(x[t][whole]);
        for (int v = 0; v < vectors; v++) sums[t][v] = multiplyAdd(weights[v], value, sums[t][v]);
      }
    }
    for (int t = 0; t < Tokens; t++) {
      float results[Tiles * tileRows];
      std::memcpy(results, sums[t], sizeof results);
      for (int i = 0; i < Tiles; i++) storeTile(call, token + t, tile + i, results + i * tileRows);
    }
  }
};

// Accumulators that fit beside the weights and one broadcast value: 24 of 32 registers, or 12 of 16.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int maxSums = 24;
#else
constexpr int maxSums = 12;
#endif
constexpr int maxTiles = 4; // more streams than that slow the memory down
constexpr int maxBlockTokens = maxSums / vectorsPerTile > 12 ? 12 : maxSums / vectorsPerTile;

// Tiles outside, tokens inside: a group of tiles comes from memory once and stays in the L2 cache for the other tokens.
template <LinearFormat format, int Tokens> void multiplyBlocks(const LinearCall &call, int64_t firstTile, int64_t lastTile) {
  constexpr int fitting = maxSums / vectorsPerTile / Tokens;
  constexpr int group = fitting > maxTiles ? maxTiles : fitting;
  for (int64_t tile = firstTile; tile < lastTile;) {
    const bool full = lastTile - tile >= group;
    for (int64_t next = 0; next < call.tokenCount; next += Tokens) {
      // The last block overlaps the one before it, so that there is one block size. It stores the same values again.
      const int64_t token = next + Tokens <= call.tokenCount ? next : call.tokenCount - Tokens;
      if (full) DenseBlock<format, Tokens, group>::run(call, token, tile);
      else DenseBlock<format, Tokens, 1>::run(call, token, tile);
    }
    tile += full ? group : 1;
  }
}

template <LinearFormat format, int Tokens = maxBlockTokens>
void denseMultiply(const LinearCall &call, int64_t firstTile, int64_t lastTile) {
  // Equal blocks rather than full ones and a rest: a small rest would leave registers idle.
  const int64_t blockCount = (call.tokenCount + maxBlockTokens - 1) / maxBlockTokens;
  const int64_t blockTokens = (call.tokenCount + blockCount - 1) / blockCount;
  if constexpr (Tokens > 1) {
    if (blockTokens < Tokens) return denseMultiply<format, Tokens - 1>(call, firstTile, lastTile);
  }
  multiplyBlocks<format, Tokens>(call, firstTile, lastTile);
}

} // namespace

void DENSE_NAME(const LinearCall &call, int64_t firstTile, int64_t lastTile) {
  switch (call.format) {
  case LinearFormat::f32: return denseMultiply<LinearFormat::f32>(call, firstTile, lastTile);
  case LinearFormat::f16: return denseMultiply<LinearFormat::f16>(call, firstTile, lastTile);
  case LinearFormat::bf16: return denseMultiply<LinearFormat::bf16>(call, firstTile, lastTile);
  case LinearFormat::int8: return;
  }
}

} // namespace aloft
