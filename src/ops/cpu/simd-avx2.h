// F32x16 in two AVX2 registers.
#pragma once
#include "levels.h"
#include <cstdint>
#include <immintrin.h>

namespace aloft::ALOFT_ISA {

// Tile of the matrix kernels: 3 x 2 accumulators of two registers each, 4 registers of columns, a broadcast.
constexpr int tileRows = 3;
constexpr int tileVectors = 2;

struct F32x16 {
  __m256 low, high;
};
using Mask16 = F32x16;

inline F32x16 load(const float* from) { return {_mm256_loadu_ps(from), _mm256_loadu_ps(from + 8)}; }
inline void store(float* to, F32x16 a) {
  _mm256_storeu_ps(to, a.low);
  _mm256_storeu_ps(to + 8, a.high);
}
inline F32x16 broadcast(float a) { return {_mm256_set1_ps(a), _mm256_set1_ps(a)}; }

inline F32x16 operator+(F32x16 a, F32x16 b) { return {_mm256_add_ps(a.low, b.low), _mm256_add_ps(a.high, b.high)}; }
inline F32x16 operator-(F32x16 a, F32x16 b) { return {_mm256_sub_ps(a.low, b.low), _mm256_sub_ps(a.high, b.high)}; }
inline F32x16 operator*(F32x16 a, F32x16 b) { return {_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high)}; }
inline F32x16 operator/(F32x16 a, F32x16 b) { return {_mm256_div_ps(a.low, b.low), _mm256_div_ps(a.high, b.high)}; }
inline F32x16 fma(F32x16 a, F32x16 b, F32x16 c) {
  return {_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)};
}
// The second operand where one is NaN.
inline F32x16 max(F32x16 a, F32x16 b) { return {_mm256_max_ps(a.low, b.low), _mm256_max_ps(a.high, b.high)}; }
inline F32x16 min(F32x16 a, F32x16 b) { return {_mm256_min_ps(a.low, b.low), _mm256_min_ps(a.high, b.high)}; }
inline F32x16 roundToNearest(F32x16 a) {
  constexpr int mode = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
  return {_mm256_round_ps(a.low, mode), _mm256_round_ps(a.high, mode)};
}
// a * 2^n for whole n in [-126, 128]: in two factors, because 2^128 has no exponent of its own.
inline __m256 powerOfTwo(__m256i n) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(n, _mm256_set1_epi32(127)), 23));
}
inline __m256 timesPowerOfTwo(__m256 a, __m256 n) {
  const __m256i whole = _mm256_cvtps_epi32(n);
  const __m256i half = _mm256_srai_epi32(whole, 1);
  return _mm256_mul_ps(_mm256_mul_ps(a, powerOfTwo(half)), powerOfTwo(_mm256_sub_epi32(whole, half)));
}
inline F32x16 timesPowerOfTwo(F32x16 a, F32x16 n) {
  return {timesPowerOfTwo(a.low, n.low), timesPowerOfTwo(a.high, n.high)};
}

inline Mask16 operator<(F32x16 a, F32x16 b) {
  return {_mm256_cmp_ps(a.low, b.low, _CMP_LT_OQ), _mm256_cmp_ps(a.high, b.high, _CMP_LT_OQ)};
}
inline Mask16 operator>(F32x16 a, F32x16 b) {
  return {_mm256_cmp_ps(a.low, b.low, _CMP_GT_OQ), _mm256_cmp_ps(a.high, b.high, _CMP_GT_OQ)};
}
inline F32x16 select(Mask16 mask, F32x16 yes, F32x16 no) {
  return {_mm256_blendv_ps(no.low, yes.low, mask.low), _mm256_blendv_ps(no.high, yes.high, mask.high)};
}
inline bool any(Mask16 mask) { return _mm256_movemask_ps(_mm256_or_ps(mask.low, mask.high)) != 0; }

// IEEE binary16 in memory.
inline F32x16 loadHalf(const uint16_t* from) {
  const __m128i* halves = reinterpret_cast<const __m128i*>(from);
  return {_mm256_cvtph_ps(_mm_loadu_si128(halves)), _mm256_cvtph_ps(_mm_loadu_si128(halves + 1))};
}
inline void storeHalf(uint16_t* to, F32x16 a) {
  __m128i* halves = reinterpret_cast<__m128i*>(to);
  _mm_storeu_si128(halves, _mm256_cvtps_ph(a.low, _MM_FROUND_TO_NEAREST_INT));
  _mm_storeu_si128(halves + 1, _mm256_cvtps_ph(a.high, _MM_FROUND_TO_NEAREST_INT));
}
// Signed bytes.
inline F32x16 loadInt8(const uint8_t* from) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  return {_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes)),
          _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_srli_si128(bytes, 8)))};
}
// 2^-8 of FP8 E4M3 numbers: sign, exponent and fraction moved to their places in a half.
inline F32x16 loadE4m3(const uint8_t* from) {
  const __m256i words = _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
  const __m256i halves = _mm256_and_si256(_mm256_slli_epi16(words, 7), _mm256_set1_epi16(int16_t(0xbfff)));
  return {_mm256_cvtph_ps(_mm256_castsi256_si128(halves)), _mm256_cvtph_ps(_mm256_extracti128_si256(halves, 1))};
}
// Nearest integers, for values in (-2^31, 2^31).
inline void storeInt32(int32_t* to, F32x16 a) {
  __m256i* ints = reinterpret_cast<__m256i*>(to);
  _mm256_storeu_si256(ints, _mm256_cvtps_epi32(a.low));
  _mm256_storeu_si256(ints + 1, _mm256_cvtps_epi32(a.high));
}

}  // namespace aloft::ALOFT_ISA
