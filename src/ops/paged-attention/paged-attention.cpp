// Shares the work of paged attention among threads. The arithmetic is in cpu-kernel.h.
#include "cpu-kernel.h"
#include "ops/cpu/pool.h"
#include <vector>

ALOFT_DECLARE_LEVELS(void, attendTile,
                     (const aloft::Attention&, const aloft::QueryTile&, int64_t, const aloft::Workspace&))
ALOFT_DECLARE_LEVELS(void, attendTileSpan,
                     (const aloft::Attention&, const aloft::QueryTile&, int64_t, int64_t, const aloft::Workspace&,
                      const aloft::Partial&))
ALOFT_DECLARE_LEVELS(void, mergeTile,
                     (const aloft::Attention&, const aloft::QueryTile&, int64_t, float*, const aloft::Workspace&))

namespace {

using namespace aloft;

// Tiles of all rows. Later tokens of a row come first: they see most keys, and long work should not start last.
std::vector<QueryTile> makeTiles(const Attention& a) {
  std::vector<QueryTile> tiles;
  const int64_t tokensPerTile = std::max<int64_t>(1, tileQueries / a.group);
  int64_t spansBefore = 0;
  for (int64_t row = 0; row < a.step->rowCount; row++) {
    const int64_t begin = a.step->rowOffsets()[row];
    for (int64_t end = a.step->rowOffsets()[row + 1]; end > begin; end -= tokensPerTile) {
      const int64_t first = std::max(begin, end - tokensPerTile);
      const int64_t firstSpan = a.firstVisible(a.step->positions()[first]) / spanTokens;
      const int64_t spanCount = a.step->positions()[end - 1] / spanTokens + 1 - firstSpan;
      tiles.push_back({row, first, end - first, firstSpan, spanCount, spansBefore});
      spansBefore += spanCount;
    }
  }
  return tiles;
}

// body(item, work) for every item, on all threads, each taking the next item when it is free.
template <typename F> void forEach(Pool* pool, const KvLayout& layout, int64_t queries, int64_t count, F&& body) {
  const int64_t bytes = Workspace::floats(layout, queries) * sizeof(float);
  std::atomic<int64_t> next{0};
  parallelFor(pool, std::min<int64_t>(count, poolThreadCount(pool)), 1, [&](int64_t thread, int64_t) {
    float* memory = static_cast<float*>(poolScratch(pool, thread, bytes));
    const Workspace work = Workspace::at(memory, layout, queries);
    for (int64_t item = next.fetch_add(1); item < count; item = next.fetch_add(1)) body(item, work);
  });
}

}  // namespace

// Causal attention of the step's tokens over one layer of the paged cache, which holds them already.
// qkv [tokens, (heads + 2 kvHeads) * headDim] f32, of which only q is read; out [tokens, heads * headDim] f32
// window, softCap: see Attention
ALOFT_API void aloft_paged_attention(uint64_t poolAddress, uint64_t stepAddress, uint64_t layoutAddress,
                                     uint64_t layerAddress, uint64_t qkvAddress, uint64_t outAddress, int64_t heads,
                                     int64_t window, double softCap) {
  Pool* pool = pointer<Pool>(poolAddress);
  const KvLayout& layout = *pointer<const KvLayout>(layoutAddress);
  const Attention a = {pointer<const StepView>(stepAddress),
                       &layout,
                       layerAddress,
                       pointer<const float>(qkvAddress),
                       pointer<float>(outAddress),
                       heads,
                       heads / layout.kvHeadCount,
                       window,
                       static_cast<float>(softCap)};
  const std::vector<QueryTile> tiles = makeTiles(a);
  if (tiles.empty()) return;
  [[maybe_unused]] const Isa isa = poolIsa(pool);  // other platforms than x64 have one level
  const int64_t kvHeads = layout.kvHeadCount;
  const int64_t queries = std::max(tileQueries, a.group);
  const int64_t tileCount = tiles.size();
  const int64_t spanCount = tiles.back().spansBefore + tiles.back().spanCount;

  // With few tiles, threads share the spans of a tile, as long as the partial results stay small.
  const int64_t partialFloats = Partial::floats(queries, layout.valueStride);
  constexpr int64_t maxSharedFloats = 16 << 20;
  const bool shareSpans = tileCount * kvHeads < 4 * poolThreadCount(pool) && spanCount > tileCount &&
                          spanCount * kvHeads * partialFloats <= maxSharedFloats;
  if (!shareSpans) {
    const auto attend = ALOFT_SELECT(isa, attendTile);
    forEach(pool, layout, queries, tileCount * kvHeads,
            [&](int64_t item, const Workspace& work) { attend(a, tiles[item / kvHeads], item % kvHeads, work); });
    return;
  }
  std::vector<float> partials(spanCount * kvHeads * partialFloats);
  const auto partialsOf = [&](const QueryTile& tile, int64_t kvHead) {
    return partials.data() + (tile.spansBefore * kvHeads + kvHead * tile.spanCount) * partialFloats;
  };
  std::vector<const QueryTile*> tileOfSpan;
  for (const QueryTile& tile : tiles) tileOfSpan.insert(tileOfSpan.end(), tile.spanCount, &tile);
  const auto attendSpan = ALOFT_SELECT(isa, attendTileSpan);
  forEach(pool, layout, queries, spanCount * kvHeads, [&](int64_t item, const Workspace& work) {
    const QueryTile& tile = *tileOfSpan[item / kvHeads];
    const int64_t kvHead = item % kvHeads, span = item / kvHeads - tile.spansBefore;
    const int64_t tileFloats = Partial::floats(tile.tokenCount * a.group, layout.valueStride);
    float* memory = partialsOf(tile, kvHead) + span * tileFloats;
    attendSpan(a, tile, kvHead, span, work, Partial::at(memory, tile.tokenCount * a.group, layout.valueStride));
  });
  const auto merge = ALOFT_SELECT(isa, mergeTile);
  forEach(pool, layout, queries, tileCount * kvHeads, [&](int64_t item, const Workspace& work) {
    const QueryTile& tile = tiles[item / kvHeads];
    merge(a, tile, item % kvHeads, partialsOf(tile, item % kvHeads), work);
  });
}
