// Reads keys and values of a sequence out of its blocks, as numbers in f32. Formats of 8 bits have a scale a token
// besides, which scores and weights are multiplied with: fewer multiplications than one an element.
#pragma once
#include "attention.h"
#include "tile-product.h"
#include <type_traits>

namespace aloft::ALOFT_ISA {

constexpr bool hasScales(KvFormat format) { return format == KvFormat::int8 || format == KvFormat::fp8; }

template <KvFormat format>
using KvElement =
    std::conditional_t<format == KvFormat::f32, float, std::conditional_t<format == KvFormat::f16, uint16_t, uint8_t>>;

// Sixteen elements as numbers, not yet scaled.
template <KvFormat format> inline F32x16 loadElements(const KvElement<format>* from) {
  if constexpr (format == KvFormat::f32)
    return load(from);
  else if constexpr (format == KvFormat::f16)
    return loadHalf(from);
  else if constexpr (format == KvFormat::int8)
    return loadInt8(from);
  else
    return loadE4m3(from);
}

// The first `count` of them, 8 or 16.
template <KvFormat format, int count> inline F32x16 loadSome(const KvElement<format>* from) {
  if constexpr (count == lanes) return loadElements<format>(from);
  KvElement<format> buffer[lanes] = {};
  std::memcpy(buffer, from, count * sizeof(*from));
  return loadElements<format>(buffer);
}

// Keys of up to tileTokens tokens as a right-hand side [headDim, tokens], straight from the cache.
template <KvFormat format> struct CachedKeys {
  const KvElement<format>* columns[tileTokens / lanes];  // of each 16 tokens
  int64_t stride;

  F32x16 vector(int64_t k, int64_t v) const { return loadElements<format>(columns[v] + k * stride); }
};

// Values of up to tileTokens tokens as a right-hand side [tokens, valueStride].
template <KvFormat format> struct CachedValues {
  const KvElement<format>* rows[tileTokens];

  F32x16 vector(int64_t k, int64_t v) const { return loadElements<format>(rows[k] + v * lanes); }
};

struct KvReader {
  const KvLayout& layout;
  uint64_t layerAddress;
  const int32_t* blockTable;
  int64_t kvHead;

  // body(the layout's format as a constant)
  template <typename F> void withFormat(F&& body) const {
    switch (layout.format) {
      case KvFormat::f32:
        return body(std::integral_constant<KvFormat, KvFormat::f32>());
      case KvFormat::f16:
        return body(std::integral_constant<KvFormat, KvFormat::f16>());
      case KvFormat::int8:
        return body(std::integral_constant<KvFormat, KvFormat::int8>());
      case KvFormat::fp8:
        return body(std::integral_constant<KvFormat, KvFormat::fp8>());
    }
  }

  // Keys of tokens [begin, begin + count), where they lie. For blocks of whole vectors.
  template <KvFormat format> CachedKeys<format> cachedKeys(int64_t begin, int64_t count) const {
    CachedKeys<format> keys;
    keys.stride = layout.blockTokens;
    for (int64_t i = 0; i < count; i += lanes)
      keys.columns[i / lanes] = keysOf<format>((begin + i) / layout.blockTokens) + (begin + i) % layout.blockTokens;
    return keys;
  }

  template <KvFormat format> CachedValues<format> cachedValues(int64_t begin, int64_t count) const {
    CachedValues<format> values;
    for (int64_t i = 0; i < count;) {
      const int64_t block = (begin + i) / layout.blockTokens, offset = (begin + i) % layout.blockTokens;
      const auto* first = valuesOf<format>(block) - i * layout.valueStride + offset * layout.valueStride;
      const int64_t end = i + layout.blockTokens - offset < count ? i + layout.blockTokens - offset : count;
      for (; i < end; i++) values.rows[i] = first + i * layout.valueStride;
    }
    return values;
  }

  // The same keys -> to [headDim, tileTokens]. Columns from `count` up to the next multiple of 16 get whatever the
  // cache holds there; the softmax does not look at them.
  template <KvFormat format> void loadKeys(int64_t begin, int64_t count, float* to) const {
    if (layout.blockTokens % lanes == 0)
      loadKeyColumns<format, lanes>(begin, count, to);
    else
      loadKeyColumns<format, lanes / 2>(begin, count, to);
  }

  // The same values -> to [count, valueStride]
  template <KvFormat format> void loadValues(int64_t begin, int64_t count, float* to) const {
    const int64_t stride = layout.valueStride;
    for (int64_t i = 0; i < count;) {
      const int64_t block = (begin + i) / layout.blockTokens, offset = (begin + i) % layout.blockTokens;
      const int64_t inBlock = layout.blockTokens - offset;
      const int64_t tokens = count - i < inBlock ? count - i : inBlock;
      const auto* values = valuesOf<format>(block) + offset * stride;
      for (int64_t j = 0; j < tokens * stride; j += lanes) store(to + i * stride + j, loadElements<format>(values + j));
      i += tokens;
    }
  }

  // Multiplies column i of scores [queryCount, spanTokens] with the scale of token begin + i's key.
  void scaleByKeys(int64_t begin, int64_t count, float* scores, int64_t queryCount) const {
    if (hasScales(layout.format)) scaleByToken(kvHead, begin, count, scores, queryCount);
  }
  // With the scale of its value.
  void scaleByValues(int64_t begin, int64_t count, float* weights, int64_t queryCount) const {
    if (hasScales(layout.format)) scaleByToken(layout.kvHeadCount + kvHead, begin, count, weights, queryCount);
  }

private:
  template <KvFormat format> const KvElement<format>* keysOf(int64_t block) const {
    return reinterpret_cast<const KvElement<format>*>(layout.keys(layerAddress, blockTable[block], kvHead));
  }
  template <KvFormat format> const KvElement<format>* valuesOf(int64_t block) const {
    return reinterpret_cast<const KvElement<format>*>(layout.values(layerAddress, blockTable[block], kvHead));
  }

  template <KvFormat format, int width> void loadKeyColumns(int64_t begin, int64_t count, float* to) const {
    for (int64_t i = 0; i < count; i += width) {
      const auto* keys = keysOf<format>((begin + i) / layout.blockTokens) + (begin + i) % layout.blockTokens;
      for (int64_t d = 0; d < layout.headDim; d++)
        storePartial(to + d * tileTokens + i, loadSome<format, width>(keys + d * layout.blockTokens), width);
    }
  }

  // `scaleRow`: the key/value head; for values counted on from those of the keys.
  void scaleByToken(int64_t scaleRow, int64_t begin, int64_t count, float* scores, int64_t queryCount) const {
    float scales[spanTokens] = {};
    for (int64_t i = 0; i < count;) {
      const int64_t block = (begin + i) / layout.blockTokens, offset = (begin + i) % layout.blockTokens;
      const int64_t inBlock = layout.blockTokens - offset;
      const int64_t tokens = count - i < inBlock ? count - i : inBlock;
      std::memcpy(scales + i, layout.scales(layerAddress, blockTable[block], scaleRow) + offset,
                  tokens * sizeof(float));
      i += tokens;
    }
    for (int64_t q = 0; q < queryCount; q++)
      for (float *at = scores + q * spanTokens, *end = at + count, *by = scales; at < end; at += lanes, by += lanes)
        store(at, load(at) * load(by));
  }
};

}  // namespace aloft::ALOFT_ISA
