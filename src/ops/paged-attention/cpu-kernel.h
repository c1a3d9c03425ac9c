// Body of the paged attention kernels, compiled for each instruction set. Softmax over parts of the keys: Milakov and
// Gimelshein 2018 (arXiv:1805.02867); tiles: Dao et al. 2022 (arXiv:2205.14135); parts in parallel for few queries:
// flash decoding (Dao et al. 2023).
#pragma once
#include "attention.h"
#include "kv-tile.h"

namespace aloft::ALOFT_ISA {

// Queries of one tile and one key/value head, and the keys that they may see.
struct QueryView {
  const Attention& a;
  const QueryTile& tile;
  int64_t kvHead;

  int64_t queryCount() const { return tile.tokenCount * a.group; }
  int64_t position(int64_t query) const { return a.step->positions()[tile.firstToken + query / a.group]; }
  int64_t contextTokens() const { return position(queryCount() - 1) + 1; }
  // Number of the keys from `begin` on that lie before what a query sees; not positive when none does.
  int64_t hiddenTokens(int64_t query, int64_t begin) const { return a.firstVisible(position(query)) - begin; }
  // Number of the keys [begin, begin + count) up to the query itself; not positive when there is none.
  int64_t visibleTokens(int64_t query, int64_t begin, int64_t count) const {
    const int64_t visible = position(query) + 1 - begin;
    return visible < count ? visible : count;
  }
  // The first query that sees the key at `token`; positions ascend with queries.
  int64_t firstQuerySeeing(int64_t token) const {
    const int64_t hidden = token - position(0);
    return hidden <= 0 ? 0 : hidden * a.group;
  }
};

inline void loadQueries(const QueryView& view, float* queries) {
  const Attention& a = view.a;
  const int64_t headDim = a.layout->headDim;
  const int64_t columns = (a.heads + 2 * a.layout->kvHeadCount) * headDim;
  const F32x16 scale = broadcast(1.0f / std::sqrt(static_cast<float>(headDim)));
  for (int64_t q = 0; q < view.queryCount(); q++) {
    const int64_t head = view.kvHead * a.group + q % a.group;
    const float* from = a.qkv + (view.tile.firstToken + q / a.group) * columns + head * headDim;
    for (int64_t i = 0; i < headDim; i += lanes) {
      const int64_t count = headDim - i < lanes ? headDim - i : lanes;
      storePartial(queries + q * headDim + i, loadPartial(from + i, count) * scale, count);
    }
  }
}

// Caps the scores of one query.
inline void softCapRow(float* scores, int64_t keyCount, float softCap) {
  const F32x16 cap = broadcast(softCap);
  for (int64_t i = 0; i < keyCount; i += lanes) store(scores + i, softCapped(load(scores + i), cap));
}

// Gives the first `hidden` keys scores whose weight is 0.
inline void hideRow(float* scores, int64_t hidden) {
  for (int64_t i = 0; i < hidden; i++) scores[i] = -infinity;
}

// Turns the scores of one query into weights exp(score - max) for the `visible` keys and 0 for the others. Without a
// visible key the largest score is -infinity and the weights are 0.
inline void softmaxRow(float* scores, int64_t visible, int64_t keyCount, float& maxOut, float& sumOut) {
  const F32x16 lowest = broadcast(-infinity), index = laneIndex();
  F32x16 max16 = lowest;
  for (int64_t i = 0; i < visible; i += lanes) {
    const Mask16 seen = index < broadcast(static_cast<float>(visible - i));
    max16 = max(max16, select(seen, load(scores + i), lowest));
  }
  maxOut = reduceMax(max16);
  const F32x16 zero = broadcast(0.0f), shift = broadcast(maxOut);
  F32x16 sum16 = zero;
  for (int64_t i = 0; i < keyCount; i += lanes) {
    const Mask16 seen = index < broadcast(static_cast<float>(visible - i));
    const F32x16 weight = select(seen, exp(load(scores + i) - shift), zero);
    store(scores + i, weight);
    sum16 = sum16 + weight;
  }
  sumOut = reduceAdd(sum16);
}

// Keys and values go from the cache into the products as they are when so few queries use them that converting them
// once for all would cost more. The bits are the same.
inline bool readsDirectly(const KvLayout& layout, int64_t queryCount) {
  return queryCount <= tileRows && layout.blockTokens % lanes == 0;
}

// Attention of all queries of a tile over one span of keys, into work.partial. Queries must be loaded.
template <KvFormat format>
inline void attendSpanIn(const QueryView& view, const KvReader& reader, int64_t span, const Workspace& work,
                         const Partial& partial) {
  const KvLayout& layout = *view.a.layout;
  const int64_t queryCount = view.queryCount();
  const int64_t begin = span * spanTokens;
  const int64_t rest = view.contextTokens() - begin;
  const int64_t keyCount = rest < spanTokens ? rest : spanTokens;
  const bool isDirect = readsDirectly(layout, queryCount);

  for (int64_t i = 0; i < queryCount * spanTokens; i++) work.scores[i] = 0;
  for (int64_t at = 0; at < keyCount; at += tileTokens) {
    const int64_t count = keyCount - at < tileTokens ? keyCount - at : tileTokens;
    const int64_t first = view.firstQuerySeeing(begin + at);
    const auto multiply = [&](const auto& keys) {
      product<std::decay_t<decltype(keys)>>({work.queries + first * layout.headDim, layout.headDim, keys, 0,
                                             work.scores + first * spanTokens + at, spanTokens, layout.headDim},
                                            queryCount - first, (count + lanes - 1) / lanes);
    };
    if (isDirect) {
      multiply(reader.template cachedKeys<format>(begin + at, count));
    } else {
      reader.template loadKeys<format>(begin + at, count, work.tile);
      multiply(Numbers{work.tile, tileTokens});
    }
  }

  reader.scaleByKeys(begin, keyCount, work.scores, queryCount);
  for (int64_t q = 0; q < queryCount; q++) {
    float* scores = work.scores + q * spanTokens;
    const int64_t visible = view.visibleTokens(q, begin, keyCount), hidden = view.hiddenTokens(q, begin);
    if (view.a.softCap > 0) softCapRow(scores, keyCount, view.a.softCap);
    hideRow(scores, hidden < visible ? hidden : visible);
    softmaxRow(scores, hidden < visible ? visible : 0, keyCount, partial.max[q], partial.sum[q]);
  }
  reader.scaleByValues(begin, keyCount, work.scores, queryCount);

  for (int64_t i = 0; i < queryCount * layout.valueStride; i++) partial.values[i] = 0;
  for (int64_t at = 0; at < keyCount; at += tileTokens) {
    const int64_t count = keyCount - at < tileTokens ? keyCount - at : tileTokens;
    const int64_t first = view.firstQuerySeeing(begin + at);
    const auto multiply = [&](const auto& values) {
      product<std::decay_t<decltype(values)>>({work.scores + first * spanTokens + at, spanTokens, values, 0,
                                               partial.values + first * layout.valueStride, layout.valueStride, count},
                                              queryCount - first, layout.valueStride / lanes);
    };
    if (isDirect) {
      multiply(reader.template cachedValues<format>(begin + at, count));
    } else {
      reader.template loadValues<format>(begin + at, count, work.tile);
      multiply(Numbers{work.tile, layout.valueStride});
    }
  }
}

inline void attendSpan(const QueryView& view, int64_t span, const Workspace& work, const Partial& partial) {
  const KvReader reader = {*view.a.layout, view.a.layerAddress, view.a.step->blockTable(view.tile.row), view.kvHead};
  reader.withFormat([&](auto format) { attendSpanIn<format>(view, reader, span, work, partial); });
}

inline void clear(const Partial& total, int64_t queryCount, int64_t valueStride) {
  for (int64_t q = 0; q < queryCount; q++) {
    total.max[q] = -infinity;
    total.sum[q] = 0;
  }
  for (int64_t i = 0; i < queryCount * valueStride; i++) total.values[i] = 0;
}

// Adds the next span's partial result to the total. An empty side leaves the other's bits as they are.
inline void merge(const Partial& total, const Partial& next, int64_t queryCount, int64_t valueStride) {
  for (int64_t q = 0; q < queryCount; q++) {
    const float max = total.max[q] > next.max[q] ? total.max[q] : next.max[q];
    if (max == -infinity) continue;
    const F32x16 keep = exp(broadcast(total.max[q] - max)), take = exp(broadcast(next.max[q] - max));
    const auto blend = [&](float* to, const float* from, int64_t count) {
      storePartial(to, fma(loadPartial(to, count), keep, loadPartial(from, count) * take), count);
    };
    blend(total.sum + q, next.sum + q, 1);
    for (int64_t i = 0; i < valueStride; i += lanes)
      blend(total.values + q * valueStride + i, next.values + q * valueStride + i, lanes);
    total.max[q] = max;
  }
}

inline void writeOut(const QueryView& view, const Partial& total) {
  const Attention& a = view.a;
  const int64_t headDim = a.layout->headDim, valueStride = a.layout->valueStride;
  for (int64_t q = 0; q < view.queryCount(); q++) {
    const int64_t head = view.kvHead * a.group + q % a.group;
    float* to = a.out + ((view.tile.firstToken + q / a.group) * a.heads + head) * headDim;
    const F32x16 scale = broadcast(1.0f / total.sum[q]);
    for (int64_t i = 0; i < headDim; i += lanes) {
      const int64_t count = headDim - i < lanes ? headDim - i : lanes;
      storePartial(to + i, load(total.values + q * valueStride + i) * scale, count);
    }
  }
}

// One tile and key/value head from queries to output.
void attendTile(const Attention& a, const QueryTile& tile, int64_t kvHead, const Workspace& work) {
  const QueryView view = {a, tile, kvHead};
  const int64_t queryCount = view.queryCount(), valueStride = a.layout->valueStride;
  loadQueries(view, work.queries);
  clear(work.total, queryCount, valueStride);
  for (int64_t span = 0; span < tile.spanCount; span++) {
    attendSpan(view, tile.firstSpan + span, work, work.partial);
    merge(work.total, work.partial, queryCount, valueStride);
  }
  writeOut(view, work.total);
}

// The same in two steps, so that the spans of one tile can go to several threads: first each span into its own partial
// ...
void attendTileSpan(const Attention& a, const QueryTile& tile, int64_t kvHead, int64_t span, const Workspace& work,
                    const Partial& partial) {
  const QueryView view = {a, tile, kvHead};
  loadQueries(view, work.queries);
  attendSpan(view, tile.firstSpan + span, work, partial);
}

// ... then all spans of the tile, `partials` being their memory in order.
void mergeTile(const Attention& a, const QueryTile& tile, int64_t kvHead, float* partials, const Workspace& work) {
  const QueryView view = {a, tile, kvHead};
  const int64_t queryCount = view.queryCount(), valueStride = a.layout->valueStride;
  clear(work.total, queryCount, valueStride);
  for (int64_t span = 0; span < tile.spanCount; span++) {
    float* memory = partials + span * Partial::floats(queryCount, valueStride);
    merge(work.total, Partial::at(memory, queryCount, valueStride), queryCount, valueStride);
  }
  writeOut(view, work.total);
}

}  // namespace aloft::ALOFT_ISA
