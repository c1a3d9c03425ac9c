// Dense and fp8 weights by multiply-add, at the vector width of the including file, which defines DENSE_NAME. Every
// output is one chain of multiply-adds over the inputs in order, however many tokens there are, so a token's result
// does not depend on the batch that it is in.
#include "kernels.h"
#include "vector.h"
#include <cstdlib>

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
      if constexpr (format == LinearFormat::fp8) {
        loadCodes(stream[tile] + part * tileRows, weights + tile * vectorsPerTile);
        continue;
      }
      for (int v = 0; v < vectorsPerTile; v++) {
        const int64_t bytes = v * lanes;
        Vector& out = weights[tile * vectorsPerTile + v];
        if constexpr (format == LinearFormat::f32) out = loadFloats(stream[tile] + bytes * 4);
        if constexpr (format == LinearFormat::f16) out = loadHalves(stream[tile] + bytes * 2);
        if constexpr (format == LinearFormat::bf16) {
          const Words pairs = loadWords(stream[tile] + bytes * 4);
          out = part == 0 ? evenBfloats(pairs) : oddBfloats(pairs);
        }
      }
    }
  }

  // x: [in][Tokens] f32, one group of prepared tokens, of which the first `tokenCount` exist. tiles: from `tile` on,
  // `bytes` apart. ahead: what is fetched meanwhile, half as many bytes; null: these tiles, a little ahead of use.
  static void run(const LinearCall& call, const float* x, int64_t token, int64_t tokenCount, int64_t tile,
                  const uint8_t* tiles, int64_t bytes, const uint8_t* ahead) {
    Vector sums[Tokens][vectors] = {};
    const uint8_t* stream[Tiles];
    for (int i = 0; i < Tiles; i++) stream[i] = tiles + i * bytes;
    for (int64_t k = 0; k < call.paddedIn; k += inputStep<format>) {
      for (int i = 0; i < Tiles; i++) {
        if (ahead == nullptr)
          prefetch(stream[i]);
        else
          __builtin_prefetch(ahead + (stream[i] - tiles) / 2, 0, 2);
      }
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
      if constexpr (format == LinearFormat::fp8)
        for (int i = 0; i < Tiles; i++) inOrder(results + i * tileRows);
      if (call.format == LinearFormat::fp8) scaleRows(call, tile, Tiles, results);
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

int64_t groupTokens(int64_t tokenCount) { return equalGroups(tokenCount, maxGroupTokens); }

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

// Halves that are 2^-8 of E4M3 numbers: sign, exponent and fraction moved to their places.
void widenCodes(const uint8_t* codes, int64_t count, uint16_t* halves) {
  for (int64_t i = 0; i < count; i++)
    halves[i] = static_cast<uint16_t>(static_cast<uint16_t>(static_cast<int8_t>(codes[i])) << 7 & 0xbfff);
}

// From so many groups of tokens on fp8 tiles become halves once for all of them: the same numbers in fewer steps.
constexpr int64_t minWidenedGroups = 2;

// `bytes`: of a tile; `ahead`: what comes after these tiles, where it is not what lies behind them.
template <LinearFormat format, int Tokens, int Tiles>
void multiplyTiles(const LinearCall& call, const PreparedBlock& block, int64_t tile, const uint8_t* tiles,
                   int64_t bytes, const uint8_t* ahead = nullptr) {
  for (int64_t t = 0; t < block.tokenCount; t += Tokens) {
    const float* x = reinterpret_cast<const float*>(block.activations) + t * call.paddedIn;
    DenseBlock<format, Tokens, Tiles>::run(call, x, block.firstToken + t, block.tokenCount - t, tile, tiles, bytes,
                                           t == 0 ? ahead : nullptr);
  }
}

// Tiles outside, tokens inside: a few tiles come from memory once and stay in the L2 cache for the other tokens.
template <LinearFormat format, int Tokens>
void multiplyGroups(const LinearCall& call, const PreparedBlock& block, int64_t firstTile, int64_t lastTile) {
  constexpr int fitting = maxSums / vectorsPerTile / Tokens;
  constexpr int most = fitting > maxTiles ? maxTiles : fitting;
  const int64_t bytes = tileBytes(call.format, call.paddedIn);
  uint16_t* halves = nullptr;
  if (format == LinearFormat::fp8 && block.tokenCount > (minWidenedGroups - 1) * Tokens)
    halves = static_cast<uint16_t*>(std::malloc(most * bytes * sizeof(uint16_t)));
  for (int64_t tile = firstTile; tile < lastTile;) {
    const bool full = lastTile - tile >= most;
    const uint8_t* tiles = tileAt(call, tile);
    if (halves != nullptr) {
      widenCodes(tiles, (full ? most : 1) * bytes, halves);
      const uint8_t *widened = reinterpret_cast<const uint8_t*>(halves), *next = tiles + (full ? most : 1) * bytes;
      if (full)
        multiplyTiles<LinearFormat::f16, Tokens, most>(call, block, tile, widened, 2 * bytes, next);
      else
        multiplyTiles<LinearFormat::f16, Tokens, 1>(call, block, tile, widened, 2 * bytes, next);
    } else if (full) {
      multiplyTiles<format, Tokens, most>(call, block, tile, tiles, bytes);
    } else {
      multiplyTiles<format, Tokens, 1>(call, block, tile, tiles, bytes);
    }
    tile += full ? most : 1;
  }
  std::free(halves);
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
