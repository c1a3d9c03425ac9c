// Reads keys and values of a sequence out of its blocks, converted to f32.
#pragma once
#include "attention.h"
#include "ops/cpu/simd.h"

namespace aloft::ALOFT_ISA {

// to[i] = from[i] for 8 or 16 cache elements at element offset `at`.
template <int count> inline void convert(const char *from, int64_t at, bool isHalf, float *to) {
  if (!isHalf) {
    std::memcpy(to, reinterpret_cast<const float *>(from) + at, count * sizeof(float));
  } else if (count == lanes) {
    store(to, loadHalf(reinterpret_cast<const uint16_t *>(from) + at));
  } else {
    uint16_t halves[lanes] = {};
    std::memcpy(halves, reinterpret_cast<const uint16_t *>(from) + at, count * sizeof(uint16_t));
    alignas(64) float floats[lanes];
    store(floats, loadHalf(halves));
    std::memcpy(to, floats, count * sizeof(float));
  }
}

struct KvReader {
  const KvLayout &layout;
  uint64_t layerAddress;
  const int32_t *blockTable;
  int64_t kvHead;

  // Keys of tokens [begin, begin + count) -> to [headDim, tileTokens]. Columns from `count` up to the next multiple of 16 get
  // whatever the cache holds there; the softmax does not look at them.
  void loadKeys(int64_t begin, int64_t count, float *to) const {
    if (layout.blockTokens % lanes == 0) loadKeyColumns<lanes>(begin, count, to);
    else loadKeyColumns<lanes / 2>(begin, count, to);
  }

  // Values of tokens [begin, begin + count) -> to [count, valueStride]
  void loadValues(int64_t begin, int64_t count, float *to) const {
    for (int64_t i = 0; i < count;) {
      const int64_t block = (begin + i) / layout.blockTokens, offset = (begin + i) % layout.blockTokens;
      const int64_t inBlock = layout.blockTokens - offset;
      const int64_t tokens = count - i < inBlock ? count - i : inBlock;
      const char *values = layout.values(layerAddress, blockTable[block], kvHead);
      for (int64_t j = 0; j < tokens * layout.valueStride; j += lanes)
        convert<lanes>(values, offset * layout.valueStride + j, layout.isHalf, to + i * layout.valueStride + j);
      i += tokens;
    }
  }

private:
  template <int width> void loadKeyColumns(int64_t begin, int64_t count, float *to) const {
    for (int64_t i = 0; i < count; i += width) {
      const int64_t block = (begin + i) / layout.blockTokens, offset = (begin + i) % layout.blockTokens;
      const char *keys = layout.keys(layerAddress, blockTable[block], kvHead);
      for (int64_t d = 0; d < layout.headDim; d++)
        convert<width>(keys, d * layout.blockTokens + offset, layout.isHalf, to + d * tileTokens + i);
    }
  }
};

} // namespace aloft::ALOFT_ISA
