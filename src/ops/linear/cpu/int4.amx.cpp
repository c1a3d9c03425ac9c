// int4 weights with AMX: signed bytes of activations by unsigned codes. The codes of a group become bytes once for all
// tokens of a block. A group's dot products leave the tile registers as exact integers and are added in f32, in the
// order of the groups, as every int4 kernel does.
#include "int4-vectors.h"
#include "ops/cpu/amx-registers.h"

namespace aloft {
namespace {

constexpr int64_t stepInputs = 64;  // of a tile register
constexpr int64_t maxGroupSteps = 128 / stepInputs;
constexpr int64_t maxTokenGroups = maxPreparedTokens / rowGroupTokens;

int64_t groupTokens(int64_t) { return rowGroupTokens; }

void prepare(const LinearCall& call, const PreparedBlock& block, int64_t first, int64_t last) {
  prepareGroupBytes(call, block, first, last);
}

// Two quads of each packed vector become two rows of a tile register.
void unpackCodes(const uint8_t* packed, int64_t stepCount, uint8_t* bytes) {
  const Words mask = _mm512_set1_epi8(15);
  for (int64_t pair = 0; pair < stepCount * 8; pair++, packed += 64, bytes += 128) {
    prefetch(packed);
    const Words codes = loadWords(packed);
    _mm512_store_si512(bytes, both(codes, mask));
    _mm512_store_si512(bytes + 64, both(shiftWords<4>(codes), mask));
  }
}

// Dot products of up to two groups of tokens by two tiles, [group][tile][16][16], over the steps of a group of inputs.
template <int Groups>
void multiplySteps(const uint8_t* x, int64_t groupStride, const uint8_t* codes, int64_t stepCount, uint8_t* dots) {
  _tile_zero(0);
  _tile_zero(1);
  if constexpr (Groups == 2) _tile_zero(2);
  if constexpr (Groups == 2) _tile_zero(3);
  for (int64_t step = 0; step < stepCount; step++, x += registerBytes, codes += registerBytes) {
    _tile_loadd(4, x, 64);
    if constexpr (Groups == 2) _tile_loadd(5, x + groupStride, 64);
    _tile_loadd(6, codes, 64);
    _tile_loadd(7, codes + maxGroupSteps * registerBytes, 64);
    _tile_dpbsud(0, 4, 6);
    if constexpr (Groups == 2) _tile_dpbsud(2, 5, 6);
    _tile_dpbsud(1, 4, 7);
    if constexpr (Groups == 2) _tile_dpbsud(3, 5, 7);
  }
  _tile_stored(0, dots, 64);
  _tile_stored(1, dots + registerBytes, 64);
  if constexpr (Groups == 2) _tile_stored(2, dots + 2 * registerBytes, 64);
  if constexpr (Groups == 2) _tile_stored(3, dots + 3 * registerBytes, 64);
}

// Two tiles, or one and an empty one, for all tokens of a block.
class TilePair {
public:
  TilePair(const LinearCall& call, const PreparedBlock& block, int64_t tile, int64_t tileCount)
      : call(call), block(block), tile(tile), tileCount(tileCount) {
    for (int64_t i = 0; i < tileCount; i++) rows[i] = GroupRows(call, tile + i, 0);
  }

  void run() {
    for (int64_t g = 0; g < groups; g++) {
      const int64_t firstStep = g * call.group / stepInputs, stepCount = groupEnd(call, g) / stepInputs - firstStep;
      for (int64_t i = 0; i < tileCount; i++)
        unpackCodes(tileAt(call, tile + i) + firstStep * registerBytes / 2, stepCount,
                    codes + i * maxGroupSteps * registerBytes);
      const uint8_t* x = block.activations + firstStep * registerBytes;
      for (int64_t group = 0; group < tokenGroups; group += 2) {
        if (group + 1 < tokenGroups)
          multiplySteps<2>(x + group * groupStride, groupStride, codes, stepCount, dots);
        else
          multiplySteps<1>(x + group * groupStride, groupStride, codes, stepCount, dots);
        for (int64_t next = 0; next < 2 && group + next < tokenGroups; next++) addDots(g, group + next, next);
      }
    }
    for (int64_t i = 0; i < tileCount; i++)
      for (int64_t t = 0; t < block.tokenCount; t++) storeSums(call, block, t, tile + i, sums[i][t]);
  }

private:
  // Adds the dot products of a group of inputs and a group of tokens, whose rows are high and low bytes in turns.
  void addDots(int64_t g, int64_t tokenGroup, int64_t place) {
    for (int64_t i = 0; i < tileCount; i++) {
      const auto* ofTile = reinterpret_cast<const int32_t (*)[tileRows]>(dots + (place * 2 + i) * registerBytes);
      const Vector scales = rows[i].scales(g);
      const Words zeros = rows[i].zeros(g);
      for (int64_t token = 0; token < rowGroupTokens; token++) {
        const int64_t t = tokenGroup * rowGroupTokens + token;
        const Words high = _mm512_load_si512(ofTile[2 * token]), low = _mm512_load_si512(ofTile[2 * token + 1]);
        const Words dot = add(_mm512_slli_epi32(high, 8), low);
        const Vector before = g == 0 ? Vector{} : _mm512_load_ps(sums[i][t]);
        _mm512_store_ps(sums[i][t], addGroup(before, dot, zeros, block.groupSum[t * groups + g], scales));
      }
    }
  }

  const LinearCall& call;
  const PreparedBlock& block;
  const int64_t tile, tileCount;
  const int64_t groups = groupCount(call);
  const int64_t groupStride = call.paddedIn / stepInputs * registerBytes;
  const int64_t tokenGroups = roundUp(block.tokenCount, rowGroupTokens) / rowGroupTokens;
  GroupRows rows[2];
  alignas(64) uint8_t codes[2 * maxGroupSteps * registerBytes] = {};
  alignas(64) uint8_t dots[4 * registerBytes];
  alignas(64) float sums[2][maxTokenGroups * rowGroupTokens][tileRows];
};

void multiply(const LinearCall& call, const PreparedBlock& block, int64_t firstTile, int64_t lastTile) {
  const TileScope scope;
  for (int64_t tile = firstTile; tile < lastTile; tile += 2)
    TilePair(call, block, tile, lastTile - tile < 2 ? 1 : 2).run();
}

}  // namespace

const LinearKernel int4Amx = {2, groupTokens, prepare, multiply};

}  // namespace aloft
