// Body of the rotary embedding and cache append kernels, compiled for each instruction set.
#pragma once
#include "ops/cpu/simd.h"
#include "ops/cpu/step-view.h"
#include "quantise-kv.h"

namespace aloft::ALOFT_ISA {

// Rotates pairs (head[i], head[i + pairs]) by the angles whose cosines and sines are given.
inline void rotateHead(float* head, const float* cos, const float* sin, int64_t pairs) {
  for (int64_t i = 0; i < pairs; i += lanes) {
    const int64_t count = pairs - i < lanes ? pairs - i : lanes;
    const F32x16 c = loadPartial(cos + i, count), s = loadPartial(sin + i, count);
    const F32x16 low = loadPartial(head + i, count), high = loadPartial(head + pairs + i, count);
    storePartial(head + i, low * c - high * s, count);
    storePartial(head + pairs + i, high * c + low * s, count);
  }
}

// Where a key/value head of a token goes: key [headDim] into column `offset` of [headDim, blockTokens], value [headDim]
// into row `offset` of [blockTokens, valueStride].
struct CacheSlot {
  char *keys, *values;
  float *keyScales, *valueScales;
  int64_t offset;
};

// The same in 8 bits, with the scales of both.
inline void appendQuantised(const KvLayout& layout, const float* key, const float* value, const CacheSlot& slot) {
  const int64_t headDim = layout.headDim;
  const Quantiser keyQuantiser(layout.format, key, headDim), valueQuantiser(layout.format, value, headDim);
  slot.keyScales[slot.offset] = keyQuantiser.scale;
  slot.valueScales[slot.offset] = valueQuantiser.scale;
  uint8_t codes[lanes];
  for (int64_t i = 0; i < headDim; i += lanes) {
    const int64_t count = headDim - i < lanes ? headDim - i : lanes;
    keyQuantiser.store(codes, loadPartial(key + i, count));
    for (int64_t j = 0; j < count; j++) slot.keys[(i + j) * layout.blockTokens + slot.offset] = codes[j];
    valueQuantiser.store(reinterpret_cast<uint8_t*>(slot.values) + slot.offset * layout.valueStride + i,
                         loadPartial(value + i, count));
  }
}

inline void appendHead(const KvLayout& layout, const float* key, const float* value, const CacheSlot& slot) {
  const auto [keys, values, keyScales, valueScales, offset] = slot;
  if (layout.format == KvFormat::int8 || layout.format == KvFormat::fp8)
    return appendQuantised(layout, key, value, slot);
  const int64_t headDim = layout.headDim;
  const int64_t valueAt = offset * layout.valueStride;
  if (layout.format == KvFormat::f32) {
    for (int64_t i = 0; i < headDim; i++) reinterpret_cast<float*>(keys)[i * layout.blockTokens + offset] = key[i];
    std::memcpy(reinterpret_cast<float*>(values) + valueAt, value, headDim * sizeof(float));
    return;
  }
  uint16_t halves[lanes];
  for (int64_t i = 0; i < headDim; i += lanes) {
    const int64_t count = headDim - i < lanes ? headDim - i : lanes;
    storeHalf(halves, loadPartial(key + i, count));
    for (int64_t j = 0; j < count; j++)
      reinterpret_cast<uint16_t*>(keys)[(i + j) * layout.blockTokens + offset] = halves[j];
    storeHalf(reinterpret_cast<uint16_t*>(values) + valueAt + i, loadPartial(value + i, count));
  }
}

// One token: rotates its queries and keys in place and stores keys and values in the cache.  qkv [(heads + 2 kvHeads) *
// headDim]
void ropeAppendToken(const KvLayout& layout, uint64_t layerAddress, float* qkv, int64_t heads, const float* cos,
                     const float* sin, int64_t block, int64_t offset) {
  const int64_t headDim = layout.headDim;
  for (int64_t head = 0; head < heads + layout.kvHeadCount; head++)
    rotateHead(qkv + head * headDim, cos, sin, headDim / 2);
  const float* keys = qkv + heads * headDim;
  const float* values = keys + layout.kvHeadCount * headDim;
  for (int64_t head = 0; head < layout.kvHeadCount; head++)
    appendHead(layout, keys + head * headDim, values + head * headDim,
               {layout.keys(layerAddress, block, head), layout.values(layerAddress, block, head),
                layout.scales(layerAddress, block, head), layout.scales(layerAddress, block, layout.kvHeadCount + head),
                offset});
}

}  // namespace aloft::ALOFT_ISA
