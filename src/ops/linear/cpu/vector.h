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
