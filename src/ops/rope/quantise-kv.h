// Keys and values in 8 bits, with one scale a vector.
#pragma once
#include "ops/cpu/dtype.h"
#include "ops/cpu/simd.h"
#include "ops/cpu/step-view.h"

namespace aloft::ALOFT_ISA {

// Takes the scale of a vector and stores its elements; the largest magnitude becomes the largest code.
struct Quantiser {
  KvFormat format;
  float scale;    // what a stored element is multiplied with; see KvFormat
  float inverse;  // 0 for vectors too small to divide by

  Quantiser(KvFormat format, const float* x, int64_t count) : format(format) {
    const F32x16 zero = broadcast(0.0f);
    F32x16 largest16 = zero;
    for (int64_t i = 0; i < count; i += lanes) {
      const F32x16 part = loadPartial(x + i, count - i < lanes ? count - i : lanes);
      largest16 = max(max(part, zero - part), largest16);
    }
    const float largest = reduceMax(largest16);
    scale = largest / (format == KvFormat::int8 ? 127.0f : 448.0f * 0x1p-8f);
    inverse = largest > 0x1p-100f ? (format == KvFormat::int8 ? 127.0f : 448.0f) / largest : 0.0f;
  }

  // 16 elements.
  void store(uint8_t* codes, F32x16 x) const {
    const F32x16 scaled = x * broadcast(inverse);
    if (format == KvFormat::int8) {
      int32_t whole[lanes];
      storeInt32(whole, scaled);
      for (int i = 0; i < lanes; i++) codes[i] = static_cast<uint8_t>(whole[i]);
    } else {
      float numbers[lanes];
      aloft::ALOFT_ISA::store(numbers, scaled);
      for (int i = 0; i < lanes; i++) codes[i] = floatToE4m3(numbers[i]);
    }
  }
};

}  // namespace aloft::ALOFT_ISA
