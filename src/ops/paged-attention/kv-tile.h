// Reads keys and values of a sequence out of its blocks, converted to f32.
#pragma once
#include "attention.h"
#include "ops/cpu/simd.h"
#include <type_traits>

namespace aloft::ALOFT_ISA {

constexpr bool hasScales(KvFormat format) { return format == KvFormat::int8 || format == KvFormat::fp8; }

template <KvFormat format>
using KvElement = std::conditional_t<format == KvFormat::f32, float,
                                     std::conditional_t<format == KvFormat::f16, uint16_t, uint8_t>>;

// Sixteen elements as numbers, not yet scaled.
template <KvFormat format> inline F32x16 loadElements(const KvElement<format> *from) {
  if constexpr (format == KvFormat::f32) return load(from);
  else if constexpr (format == KvFormat::f16) return loadHalf(from);
  else if constexpr (format == KvFormat::int8) return loadInt8(from);
  else return loadE4m3(from);
}

// The first `count` of them, 8 or 16.
template <KvFormat format, int count> inline F32x16 loadSome(const KvElement<format> *from) {
  if constexpr (count == lanes) return loadElements<format>(from);
  KvElement<format> buffer[lanes] = {};
  std::memcpy(buffer, from, count * sizeof(*from));
  return loadElements<format>(buffer);
}

struct KvReader {
  const KvLayout &layout;
  uint64_t layerAddress;
  const int32_t *blockTable;
  int64_t kvHead;

  // Keys of tokens [begin, begin + count) -> to [headDim, tileTokens]. Columns from `count` up to the next multiple of 16 get
  // whatever the cache holds there; the softmax does not look at them.
  void loadKeys(int64_t begin, int64_t count, float *to) const {
    withFormat([&](auto format) {
      if (layout.blockTokens % lanes == 0) loadKeyColumns<format, lanes>(begin, count, to);
      else loadKeyColumns<format, lanes / 2>(begin, count, to);
    });
  }

  // Values of tokens [begin, begin + count) -> to [count, valueStride]
  void loadValues(int64_t begin, int64_t count, float *to) const {
    withFormat([&](auto format) { loadValueRows<format>(begin, count, to); });
  }

private:
  // body(the layout's format as a constant)
  template <typename F> void withFormat(F &&body) const {
    switch (layout.format) {
    case KvFormat::f32: return body(std::integral_constant<KvFormat, KvFormat::f32>());
    case KvFormat::f16: return body(std::integral_constant<KvFormat, KvFormat::f16>());
    case KvFormat::int8: return body(std::integral_constant<KvFormat, KvFormat::int8>());
    case KvFormat::fp8: return body(std::integral_constant<KvFormat, KvFormat::fp8>());
    }
  }

  template <KvFormat format, int width> void loadKeyColumns(int64_t begin, int64_t count, float *to) const {
    for (int64_t i = 0; i < count; i += width) {
      const int64_t block = (begin + i) / layout.blockTokens, offset = (begin + i) % layout.blockTokens;
      const auto *keys = reinterpret_cast<const KvElement<format> *>(layout.keys(layerAddress, blockTable[block], kvHead));
      F32x16 scale;
      if constexpr (hasScales(format))
        scale = loadPartial(layout.keyScales(layerAddress, blockTable[block], kvHead) + offset, width);
      for (int64_t d = 0; d < layout.headDim; d++) {
        F32x16 column = loadSome<format, width>(keys + d * layout.blockTokens + offset);
        if constexpr (hasScales(format)) column = column * scale;
        storePartial(to + d * tileTokens + i, column, width);
      }
    }
  }

  template <KvFormat format> void loadValueRows(int64_t begin, int64_t count, float *to) const {
    const int64_t stride = layout.valueStride;
    for (int64_t i = 0; i < count;) {
      const int64_t block = (begin + i) / layout.blockTokens, offset = (begin + i) % layout.blockTokens;
      const int64_t inBlock = layout.blockTokens - offset;
      const int64_t tokens = count - i < inBlock ? count - i : inBlock;
      const auto *values =
          reinterpret_cast<const KvElement<format> *>(layout.values(layerAddress, blockTable[block], kvHead)) +
          offset * stride;
      const float *scales = layout.valueScales(layerAddress, blockTable[block], kvHead) + offset;
      for (int64_t t = 0; t < tokens; t++) {
        F32x16 scale;
        if constexpr (hasScales(format)) scale = broadcast(scales[t]);
        for (int64_t j = t * stride; j < (t + 1) * stride; j += lanes) {
          F32x16 part = loadElements<format>(values + j);
          if constexpr (hasScales(format)) part = part * scale;
          store(to + i * stride + j, part);
        }
      }
      i += tokens;
    }
  }
};

} // namespace aloft::ALOFT_ISA
