// Matrix products with Intel AMX, for all formats that have them.
//
// A tile register holds 16 rows of 64 bytes. One operand is 16 rows of prepared activations: two rows a token, whose
// results the caller adds. The other is a packed tile's next 64 bytes of 16 output rows. A product adds to 16 by 16
// sums.
#pragma once
#include "ops/cpu/amx-registers.h"
#include "kernels.h"

namespace aloft {
namespace {

enum class AmxType { int8, bf16 };

// Weights of up to two tiles for a run of steps along the inputs; a step is 64 bytes of each activation row. The
// `parts` operands of a step are multiplied by the same activations.
struct WeightPanel {
  const uint8_t* bytes;
  int64_t tileStride, stepStride;
  int64_t stepCount;
};

template <AmxType type> struct Product;
template <> struct Product<AmxType::int8> {
  template <int Groups, int Tiles> [[gnu::always_inline]] static void add() {
    _tile_dpbssd(0, 4, 6);
    if constexpr (Groups == 2) _tile_dpbssd(2, 5, 6);
    if constexpr (Tiles == 2) _tile_dpbssd(1, 4, 7);
    if constexpr (Groups == 2 && Tiles == 2) _tile_dpbssd(3, 5, 7);
  }
};
template <> struct Product<AmxType::bf16> {
  template <int Groups, int Tiles> [[gnu::always_inline]] static void add() {
    _tile_dpbf16ps(0, 4, 6);
    if constexpr (Groups == 2) _tile_dpbf16ps(2, 5, 6);
    if constexpr (Tiles == 2) _tile_dpbf16ps(1, 4, 7);
    if constexpr (Groups == 2 && Tiles == 2) _tile_dpbf16ps(3, 5, 7);
  }
};

// Sums of up to two groups by two tiles, [group][2][16][16]: with two and two, all eight registers are in use and each
// loaded operand serves twice.
template <int Groups, int Tiles> void loadSums(const uint8_t* sums) {
  _tile_loadd(0, sums, 64);
  if constexpr (Tiles == 2) _tile_loadd(1, sums + registerBytes, 64);
  if constexpr (Groups == 2) _tile_loadd(2, sums + 2 * registerBytes, 64);
  if constexpr (Groups == 2 && Tiles == 2) _tile_loadd(3, sums + 3 * registerBytes, 64);
}

template <int Groups, int Tiles> void storeSums(uint8_t* sums) {
  _tile_stored(0, sums, 64);
  if constexpr (Tiles == 2) _tile_stored(1, sums + registerBytes, 64);
  if constexpr (Groups == 2) _tile_stored(2, sums + 2 * registerBytes, 64);
  if constexpr (Groups == 2 && Tiles == 2) _tile_stored(3, sums + 3 * registerBytes, 64);
}

void zeroSums() {
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
}

// Adds the products of a panel. `FetchAhead`: the weights come from memory.
template <AmxType type, int parts, int Groups, int Tiles, bool FetchAhead>
void multiplyPanel(const uint8_t* x, int64_t groupStride, const WeightPanel& panel) {
  const uint8_t* weights = panel.bytes;
  for (int64_t step = 0; step < panel.stepCount; step++, weights += panel.stepStride, x += registerBytes) {
    for (int64_t line = 0; line < registerBytes; line += 64) {
      __builtin_prefetch(x + 2 * registerBytes + line);  // the hardware's prefetcher does not follow tile loads
      if constexpr (Groups == 2) __builtin_prefetch(x + groupStride + 2 * registerBytes + line);
      if constexpr (FetchAhead) __builtin_prefetch(weights + registerBytes + line);
      if constexpr (FetchAhead && Tiles == 2) __builtin_prefetch(weights + panel.tileStride + registerBytes + line);
    }
    _tile_loadd(4, x, 64);
    if constexpr (Groups == 2) _tile_loadd(5, x + groupStride, 64);
#pragma GCC unroll 2
    for (int part = 0; part < parts; part++) {
      _tile_loadd(6, weights + part * registerBytes, 64);
      if constexpr (Tiles == 2) _tile_loadd(7, weights + panel.tileStride + part * registerBytes, 64);
      Product<type>::template add<Groups, Tiles>();
    }
  }
}

// Two tiles' panel: with as many bytes of activations it fits into the L1 cache. Of 8 to 40 KiB, 16 was fastest.
constexpr int64_t panelBytes = 16 << 10;
constexpr int64_t maxGroups = maxPreparedTokens / rowGroupTokens;

// One or two tiles for all tokens of a block. `Source` says how the weights come:
//   static constexpr AmxType type; static constexpr int parts; static constexpr int64_t stepInputs;
//   WeightPanel panel<Tiles>(call, tile, firstStep, stepCount): valid until the next but one
//   void prefetch<Tiles>(call, tile, firstStep, stepCount, part, parts): one of `parts` equal parts of a panel
//   void store(call, block, group, tile, const uint8_t *sums): 16 by 16 sums of a group and tile
template <int Tiles, typename Source> class TileProduct {
public:
  TileProduct(const LinearCall& call, const PreparedBlock& block, int64_t tile, Source& source)
      : call(call), block(block), tile(tile), source(source) {}

  void run() {
    if (groupCount == 1)
      stream<1>();
    else if (groupCount == 2)
      stream<2>();
    else
      reuse();
    for (int64_t group = 0; group < groupCount; group++) {
      for (int64_t i = 0; i < Tiles; i++)
        source.store(call, block, group, tile + i, sums + (group * 2 + i) * registerBytes);
    }
  }

private:
  static constexpr int64_t panelSteps = panelBytes / (2 * Source::parts * registerBytes);

  WeightPanel panelAt(int64_t step, int64_t steps) {
    const int64_t rest = stepCount - step;
    return source.template panel<Tiles>(call, tile, step, rest < steps ? rest : steps);
  }

  // Few tokens: the sums stay in their registers while the weights pass once. A panel is made ready before the one
  // ahead of it is used: tile loads wait long for data that was stored just before.
  template <int Groups> void stream() {
    constexpr int64_t steps = Source::parts == 1 ? panelSteps : 1;
    zeroSums();
    WeightPanel next = panelAt(0, steps);
    for (int64_t step = 0; step < stepCount; step += steps) {
      const WeightPanel panel = next;
      if (step + steps < stepCount) next = panelAt(step + steps, steps);
      multiplyPanel<Source::type, Source::parts, Groups, Tiles, Source::parts == 1>(
          block.activations + step * registerBytes, groupStride, panel);
    }
    storeSums<Groups, Tiles>(sums);
  }

  // Many tokens: a panel stays in the L1 cache while they pass, and the next one is fetched meanwhile.
  void reuse() {
    for (int64_t step = 0; step < stepCount; step += panelSteps) {
      const WeightPanel panel = panelAt(step, panelSteps);
      int64_t group = 0;
      for (; group + 2 <= groupCount; group += 2) {
        source.template prefetch<Tiles>(call, tile, step + panelSteps, panelSteps, group / 2, groupCount / 2);
        addGroups<2>(group, step, panel);
      }
      if (group < groupCount) addGroups<1>(group, step, panel);
    }
  }

  template <int Groups> void addGroups(int64_t group, int64_t step, const WeightPanel& panel) {
    uint8_t* groupSums = sums + group * 2 * registerBytes;
    if (step == 0)
      zeroSums();
    else
      loadSums<Groups, Tiles>(groupSums);
    multiplyPanel<Source::type, Source::parts, Groups, Tiles, false>(
        block.activations + group * groupStride + step * registerBytes, groupStride, panel);
    storeSums<Groups, Tiles>(groupSums);
  }

  const LinearCall& call;
  const PreparedBlock& block;
  const int64_t tile;
  Source& source;
  const int64_t stepCount = call.paddedIn / Source::stepInputs;
  const int64_t groupStride = stepCount * registerBytes;
  const int64_t groupCount = roundUp(block.tokenCount, rowGroupTokens) / rowGroupTokens;
  alignas(64) uint8_t sums[maxGroups * 2 * registerBytes];
};

template <typename Source>
void multiplyAmx(const LinearCall& call, const PreparedBlock& block, int64_t firstTile, int64_t lastTile,
                 Source source) {
  const TileScope scope;
  int64_t tile = firstTile;
  for (; tile + 2 <= lastTile; tile += 2) TileProduct<2, Source>(call, block, tile, source).run();
  if (tile < lastTile) TileProduct<1, Source>(call, block, tile, source).run();
}

// Fetches part `part` of `parts` of `byteCount` bytes into the L2 cache.
void prefetchPart(const uint8_t* bytes, int64_t byteCount, int64_t part, int64_t parts) {
  const int64_t end = byteCount * (part + 1) / parts;
  for (int64_t at = byteCount * part / parts / 64 * 64; at < end; at += 64) __builtin_prefetch(bytes + at, 0, 2);
}

// Packed tiles of int8 and bf16 are operands as they are.
struct PackedWeights {
  static constexpr int parts = 1;

  template <int Tiles> WeightPanel panel(const LinearCall& call, int64_t tile, int64_t step, int64_t stepCount) const {
    return {tileAt(call, tile) + step * registerBytes, tileBytes(call.format, call.paddedIn), registerBytes, stepCount};
  }

  template <int Tiles>
  void prefetch(const LinearCall& call, int64_t tile, int64_t step, int64_t stepCount, int64_t part,
                int64_t parts) const {
    for (int i = 0; i < Tiles; i++)
      prefetchPart(tileAt(call, tile + i) + step * registerBytes, stepCount * registerBytes, part, parts);
  }
};

}  // namespace
}  // namespace aloft
