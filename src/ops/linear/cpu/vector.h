// f32 vectors of the width that this file is compiled for, and loads of packed weights into them.
#pragma once
#include "ops/cpu/dtype.h"

#if defined(__AVX2__)
#include <immintrin.h>
#elif defined(ALOFT_NEON)
#include <arm_neon.h>
#endif

namespace aloft {

#if defined(__AVX512F__)

constexpr int lanes = 16;
using Vector = __m512;
using Words = __m512i;

ALOFT_INLINE Vector broadcast(float value) { return _mm512_set1_ps(value); }
ALOFT_INLINE Vector multiplyAdd(Vector a, Vector b, Vector sum) { return _mm512_fmadd_ps(a, b, sum); }
ALOFT_INLINE Vector loadFloats(const uint8_t* from) { return _mm512_loadu_ps(from); }
ALOFT_INLINE Vector loadHalves(const uint8_t* from) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
}
// 2^-8 of FP8 E4M3 numbers: sign, exponent and fraction moved to their places in a half.
ALOFT_INLINE Vector loadE4m3(const uint8_t* from) {
  const __m256i words = _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
  return _mm512_cvtph_ps(_mm256_and_si256(_mm256_slli_epi16(words, 7), _mm256_set1_epi16(int16_t(0xbfff))));
}
ALOFT_INLINE Words loadWords(const uint8_t* from) { return _mm512_loadu_si512(from); }

#elif defined(__AVX2__)

constexpr int lanes = 8;
using Vector = __m256;
using Words = __m256i;

ALOFT_INLINE Vector broadcast(float value) { return _mm256_set1_ps(value); }
ALOFT_INLINE Vector multiplyAdd(Vector a, Vector b, Vector sum) { return _mm256_fmadd_ps(a, b, sum); }
ALOFT_INLINE Vector loadFloats(const uint8_t* from) { return _mm256_loadu_ps(reinterpret_cast<const float*>(from)); }
ALOFT_INLINE Vector loadHalves(const uint8_t* from) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
}
// 2^-8 of FP8 E4M3 numbers: sign, exponent and fraction moved to their places in a half.
ALOFT_INLINE Vector loadE4m3(const uint8_t* from) {
  const __m128i words = _mm_cvtepi8_epi16(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from)));
  return _mm256_cvtph_ps(_mm_and_si128(_mm_slli_epi16(words, 7), _mm_set1_epi16(int16_t(0xbfff))));
}
ALOFT_INLINE Words loadWords(const uint8_t* from) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)); }

#elif defined(ALOFT_NEON)

constexpr int lanes = 4;
using Vector = float32x4_t;
using Words = uint32x4_t;

ALOFT_INLINE Vector broadcast(float value) { return vdupq_n_f32(value); }
ALOFT_INLINE Vector multiplyAdd(Vector a, Vector b, Vector sum) { return vfmaq_f32(sum, a, b); }
ALOFT_INLINE Vector loadFloats(const uint8_t* from) { return vreinterpretq_f32_u8(vld1q_u8(from)); }
ALOFT_INLINE Vector loadHalves(const uint8_t* from) { return vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(from))); }
ALOFT_INLINE Words loadWords(const uint8_t* from) { return vreinterpretq_u32_u8(vld1q_u8(from)); }
ALOFT_INLINE Words broadcastWord(int32_t value) { return vreinterpretq_u32_s32(vdupq_n_s32(value)); }
// The same four bytes in all lanes.
ALOFT_INLINE int8x16_t broadcastQuad(const uint8_t* from) {
  int32_t quad;
  std::memcpy(&quad, from, 4);
  return vreinterpretq_s8_s32(vdupq_n_s32(quad));
}
// Sums of the products of two neighbouring 16-bit words, as vpmaddwd.
ALOFT_INLINE Words multiplyPairs(Words a, Words b) {
  const int16x8_t x = vreinterpretq_s16_u32(a), y = vreinterpretq_s16_u32(b);
  return vreinterpretq_u32_s32(vpaddq_s32(vmull_s16(vget_low_s16(x), vget_low_s16(y)), vmull_high_s16(x, y)));
}

#else  // 128 bits: SSE2, or NEON without its intrinsics, written in the compiler's vector types

constexpr int lanes = 4;
typedef float Vector __attribute__((vector_size(16)));
typedef uint32_t Words __attribute__((vector_size(16)));

ALOFT_INLINE Vector broadcast(float value) { return Vector{value, value, value, value}; }
ALOFT_INLINE Vector multiplyAdd(Vector a, Vector b, Vector sum) { return a * b + sum; }
ALOFT_INLINE Vector loadFloats(const uint8_t* from) {
  Vector out;
  std::memcpy(&out, from, sizeof out);
  return out;
}
ALOFT_INLINE Words loadWords(const uint8_t* from) {
  Words out;
  std::memcpy(&out, from, sizeof out);
  return out;
}
// Packed weights are finite, so infinity and NaN need no care here (compare halfToFloat).
ALOFT_INLINE Vector loadHalves(const uint8_t* from) {
  typedef uint16_t Halves __attribute__((vector_size(8)));
  Halves halves;
  std::memcpy(&halves, from, sizeof halves);
  const Words wide = __builtin_convertvector(halves, Words);
  const Vector scaled = reinterpret_cast<Vector>((wide & 0x7fff) << 13) * broadcast(0x1p112f);
  return reinterpret_cast<Vector>(reinterpret_cast<Words>(scaled) | (wide & 0x8000) << 16);
}

#endif

constexpr int vectorsPerTile = 16 / lanes;

// 2^-8 of the 16 E4M3 numbers of an input. Without instructions that widen bytes, number 4i + v is in lane i of vector
// v: `inOrder` puts results into the order of rows.
#if defined(__AVX2__)
ALOFT_INLINE void loadCodes(const uint8_t* from, Vector* out) {
  for (int v = 0; v < vectorsPerTile; v++) out[v] = loadE4m3(from + v * lanes);
}
ALOFT_INLINE void inOrder(float*) {}
#else
ALOFT_INLINE void loadCodes(const uint8_t* from, Vector* out) {
  const Words codes = loadWords(from);
  for (int v = 0; v < vectorsPerTile; v++) {
    // Exponent and fraction in their places; the factor is the difference of the biases.
    const Words magnitude = (v == 3 ? codes >> 4 : codes << (20 - 8 * v)) & 0x07f00000;
    const Vector scaled = reinterpret_cast<Vector>(magnitude) * broadcast(0x1p112f);
    out[v] = reinterpret_cast<Vector>(reinterpret_cast<Words>(scaled) | (codes << (24 - 8 * v) & 0x80000000));
  }
}
ALOFT_INLINE void inOrder(float* results) {
  float rows[16];
  for (int row = 0; row < 16; row++) rows[row] = results[row % 4 * 4 + row / 4];
  std::memcpy(results, rows, sizeof rows);
}
#endif

#if defined(__AVX512F__)
ALOFT_INLINE Vector evenBfloats(Words pairs) { return _mm512_castsi512_ps(_mm512_slli_epi32(pairs, 16)); }
ALOFT_INLINE Vector oddBfloats(Words pairs) {
  return _mm512_castsi512_ps(_mm512_and_si512(pairs, _mm512_set1_epi32(static_cast<int>(0xffff0000))));
}
#elif defined(__AVX2__)
ALOFT_INLINE Vector evenBfloats(Words pairs) { return _mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16)); }
ALOFT_INLINE Vector oddBfloats(Words pairs) {
  return _mm256_castsi256_ps(_mm256_and_si256(pairs, _mm256_set1_epi32(static_cast<int>(0xffff0000))));
}
#else
ALOFT_INLINE Vector evenBfloats(Words pairs) { return reinterpret_cast<Vector>(pairs << 16); }
ALOFT_INLINE Vector oddBfloats(Words pairs) { return reinterpret_cast<Vector>(pairs & 0xffff0000); }
#endif

}  // namespace aloft
