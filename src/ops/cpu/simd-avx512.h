// F32x16 in one AVX-512 register.
#pragma once
#include "levels.h"
#include <cstdint>
// GCC 12 warns about its own _mm512_undefined_ps() (GCC bug 105593).
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop

namespace aloft::ALOFT_ISA {

// Tile of the matrix kernels: 6 x 4 accumulators, 4 columns and a broadcast fill 29 of 32 registers.
constexpr int tileRows = 6;
constexpr int tileVectors = 4;

struct F32x16 {
  __m512 v;
};
using Mask16 = __mmask16;

inline F32x16 load(const float* from) { return {_mm512_loadu_ps(from)}; }
inline void store(float* to, F32x16 a) { _mm512_storeu_ps(to, a.v); }
inline F32x16 broadcast(float a) { return {_mm512_set1_ps(a)}; }

inline F32x16 operator+(F32x16 a, F32x16 b) { return {_mm512_add_ps(a.v, b.v)}; }
inline F32x16 operator-(F32x16 a, F32x16 b) { return {_mm512_sub_ps(a.v, b.v)}; }
inline F32x16 operator*(F32x16 a, F32x16 b) { return {_mm512_mul_ps(a.v, b.v)}; }
inline F32x16 operator/(F32x16 a, F32x16 b) { return {_mm512_div_ps(a.v, b.v)}; }
inline F32x16 fma(F32x16 a, F32x16 b, F32x16 c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
// The second operand where one is NaN.
inline F32x16 max(F32x16 a, F32x16 b) { return {_mm512_max_ps(a.v, b.v)}; }
inline F32x16 min(F32x16 a, F32x16 b) { return {_mm512_min_ps(a.v, b.v)}; }
inline F32x16 roundToNearest(F32x16 a) { return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT)}; }
// a * 2^n for whole n in [-126, 128].
inline F32x16 timesPowerOfTwo(F32x16 a, F32x16 n) { return {_mm512_scalef_ps(a.v, n.v)}; }

inline Mask16 operator<(F32x16 a, F32x16 b) { return _mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ); }
inline Mask16 operator>(F32x16 a, F32x16 b) { return _mm512_cmp_ps_mask(a.v, b.v, _CMP_GT_OQ); }
inline F32x16 select(Mask16 mask, F32x16 yes, F32x16 no) { return {_mm512_mask_blend_ps(mask, no.v, yes.v)}; }
inline bool any(Mask16 mask) { return mask != 0; }

// IEEE binary16 in memory.
inline F32x16 loadHalf(const uint16_t* from) {
  return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)))};
}
inline void storeHalf(uint16_t* to, F32x16 a) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm512_cvtps_ph(a.v, _MM_FROUND_TO_NEAREST_INT));
}
// Signed bytes.
inline F32x16 loadInt8(const uint8_t* from) {
  return {_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))))};
}
// 2^-8 of FP8 E4M3 numbers: sign, exponent and fraction moved to their places in a half.
inline F32x16 loadE4m3(const uint8_t* from) {
  const __m256i words = _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
  return {_mm512_cvtph_ps(_mm256_and_si256(_mm256_slli_epi16(words, 7), _mm256_set1_epi16(int16_t(0xbfff))))};
}
// Nearest integers, for values in (-2^31, 2^31).
inline void storeInt32(int32_t* to, F32x16 a) { _mm512_storeu_si512(to, _mm512_cvtps_epi32(a.v)); }

}  // namespace aloft::ALOFT_ISA
