// Dense and fp8 weights by multiply-add, at the vector width of the including file, which defines DENSE_NAME. Every
// output is one chain of multiply-adds over the inputs in order, however many tokens there are, so a token's result
// does not depend on the batch that it is in.
#include "kernels.h"
#include "vector.h"

namespace aloft {
namespace {

// Inputs that one pass of the inner loop takes from a tile.
template <LinearFormat format> constexpr int inputStep = format == LinearFormat::fp8    ? 4
                                                         : format == LinearFormat::bf16 ? 2
                                                                                        : 1;
template <LinearFormat format> constexpr int64_t numberBytes = format == LinearFormat::f32   ? 4
                                                               : format == LinearFormat::fp8 ? 1
                                                                                             : 2;
template <LinearFormat format> constexpr int64_t stepBytes = inputStep<format> * tileRows * numberBytes<format>;

template <LinearFormat format, int Tokens, int Tiles> struct DenseBlock {
  static constexpr int vectors = Tiles * vectorsPerTile;

  // The weights of input `k + part` of all tiles.
  [[gnu::always_inline]] static inline void load(const uint8_t* const* stream, int part, Vector* weights) {
    for (int tile = 0; tile < Tiles; tile++) {
      for (int v = 0; v < vectorsPerTile; v++) {
        const int64_t bytes = v * lanes;
        Vector& out = weights[tile * vectorsPerTile + v];
        if constexpr (format == LinearFormat::f32) out = loadFloats(stream[tile] + bytes * 4);
        if constexpr (format == LinearFormat::f16) out = loadHalves(stream[tile] + bytes * 2);
        if constexpr (format == LinearFormat::fp8) out = loadE4m3(stream[tile] + part * tileRows + bytes);
        if constexpr (format == LinearFormat::bf16) {
          const Words pairs = loadWords(stream[tile] + bytes * 4);
          out = part == 0 ? evenBfloats(pairs) : oddBfloats(pairs);
        }
      }
    }
  }

  // x: [in][Tokens] f32, one group of prepared tokens, of which the first `tokenCount` exist.
  static void run(const LinearCall& call, const float* x, int64_t token, int64_t tokenCount, int64_t tile) {
    Vector sums[Tokens][vectors] = {};
    const uint8_t* stream[Tiles];
    for (int i = 0; i < Tiles; i++) stream[i] = tileAt(call, tile + i);
    for (int64_t k = 0; k < call.paddedIn; k += inputStep<format>) {
      for (int i = 0; i < Tiles; i++) prefetch(stream[i]);
#pragma GCC unroll 4
      for (int part = 0; part < inputStep<format>; part++, x += Tokens) {
        Vector weights[vectors];
        load(stream, part, weights);
        for (int t = 0; t < Tokens; t++) {
          const Vector value = broadcast(x[t]);
          for (int v = 0; v < vectors; v++) sums[t][v] = multiplyAdd(weights[v], value, sums[t][v]);
        }
      }
      for (int i = 0; i < Tiles; i++) stream[i] += stepBytes<format>;
    }
    // Unrolled in full: an index that is not constant would keep the sums in memory instead of registers.
#pragma GCC unroll 16
    for (int t = 0; t < Tokens; t++) {
      if (t >= tokenCount) break;
      float results[Tiles * tileRows];
      std::memcpy(results, sums[t], sizeof results);
      if constexpr (format == LinearFormat::fp8) scaleRows(call, tile, Tiles, results);
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
constexpr int maxTiles = 4;  // more streams than that slow the memory down
constexpr int maxGroupTokens = maxSums / vectorsPerTile > 12 ? 12 : maxSums / vectorsPerTile;

// Equal groups rather than full ones and a rest: a small rest would leave registers idle.
int64_t groupTokens(int64_t tokenCount) {
  const int64_t groupCount = (tokenCount + maxGroupTokens - 1) / maxGroupTokens;
  return (tokenCount + groupCount - 1) / groupCount;
}

// The tokens of a group side by side: rows of x are often a power of two apart, where they compete for the same cache
// lines.
void prepare(const LinearCall& call, const PreparedBlock& block, int64_t first, int64_t last) {
  const int64_t width = block.groupTokens;
  for (int64_t token = first; token < last; token += width) {
    float* group = reinterpret_cast<float*>(block.activations) + token * call.paddedIn;
    std::memset(group, 0, width * call.paddedIn * sizeof(float));
    for (int64_t t = 0; t < width && token + t < last; t++) {
      const float* x = call.x + (block.firstToken + token + t) * call.inCount;
      for (int64_t k = 0; k < call.inCount; k++) group[k * width + t] = x[k];
    }
  }
}

// Tiles outside, tokens inside: a few tiles come from memory once and stay in the L2 cache for the other tokens.
template <LinearFormat format, int Tokens>
void multiplyGroups(const LinearCall& call, const PreparedBlock& block, int64_t firstTile, int64_t lastTile) {
  constexpr int fitting = maxSums / vectorsPerTile / Tokens;
  constexpr int tiles = fitting > maxTiles ? maxTiles : fitting;
  for (int64_t tile = firstTile; tile < lastTile;) {
    const bool full = lastTile - tile >= tiles;
    for (int64_t t = 0; t < block.tokenCount; t += Tokens) {
      const float* x = reinterpret_cast<const float*>(block.activations) + t * call.paddedIn;
      if (full)
        DenseBlock<format, Tokens, tiles>::run(call, x, block.firstToken + t, block.tokenCount - t, tile);
      else
        DenseBlock<format, Tokens, 1>::run(call, x, block.firstToken + t, block.tokenCount - t, tile);
    }
    tile += full ? tiles : 1;
  }
}

template <LinearFormat format, int Tokens = maxGroupTokens>
void multiplyFormat(const LinearCall& call, const PreparedBlock& block, int64_t firstTile, int64_t lastTile) {
  if constexpr (Tokens > 1) {
    if (block.groupTokens < Tokens) return multiplyFormat<format, Tokens - 1>(call, block, firstTile, lastTile);
  }
  multiplyGroups<format, Tokens>(call, block, firstTile, lastTile);
}

void multiply(const LinearCall& call, const PreparedBlock& block, int64_t firstTile, int64_t lastTile) {
  switch (call.format) {
    case LinearFormat::f32:
      return multiplyFormat<LinearFormat::f32>(call, block, firstTile, lastTile);
    case LinearFormat::f16:
      return multiplyFormat<LinearFormat::f16>(call, block, firstTile, lastTile);
    case LinearFormat::bf16:
      return multiplyFormat<LinearFormat::bf16>(call, block, firstTile, lastTile);
    case LinearFormat::fp8:
      return multiplyFormat<LinearFormat::fp8>(call, block, firstTile, lastTile);
    case LinearFormat::int8:
    case LinearFormat::int4:
      return;
  }
}

}  // namespace

const LinearKernel DENSE_NAME = {4, groupTokens, prepare, multiply};

}  // namespace aloft
