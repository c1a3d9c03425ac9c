// Codes of four bits in vectors, and the end of a group, at the vector width of the including file: AVX2, AVX-512 or
// NEON.
#pragma once
#include "int4.h"
#include "words.h"

namespace aloft {
namespace {

#if defined(__AVX512F__)
ALOFT_INLINE Words subtract(Words a, Words b) { return _mm512_sub_epi32(a, b); }
ALOFT_INLINE Words product(Words a, Words b) { return _mm512_mullo_epi32(a, b); }
ALOFT_INLINE Words both(Words a, Words b) { return _mm512_and_si512(a, b); }
template <int bits> ALOFT_INLINE Words shiftWords(Words a) { return _mm512_srli_epi16(a, bits); }
ALOFT_INLINE Words loadZeros(const uint8_t* from) {
  return _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
}
ALOFT_INLINE Vector toFloats(Words a) { return _mm512_cvtepi32_ps(a); }
ALOFT_INLINE void storeFloats(float* to, Vector a) { _mm512_storeu_ps(to, a); }
#elif defined(ALOFT_NEON)
ALOFT_INLINE Words subtract(Words a, Words b) { return vsubq_u32(a, b); }
ALOFT_INLINE Words product(Words a, Words b) { return vmulq_u32(a, b); }
ALOFT_INLINE Words both(Words a, Words b) { return vandq_u32(a, b); }
template <int bits> ALOFT_INLINE Words shiftWords(Words a) {
  return vreinterpretq_u32_u16(vshrq_n_u16(vreinterpretq_u16_u32(a), bits));
}
ALOFT_INLINE Words loadZeros(const uint8_t* from) {
  uint32_t four;
  std::memcpy(&four, from, 4);
  return vmovl_u16(vget_low_u16(vmovl_u8(vreinterpret_u8_u32(vdup_n_u32(four)))));
}
ALOFT_INLINE Vector toFloats(Words a) { return vcvtq_f32_s32(vreinterpretq_s32_u32(a)); }
ALOFT_INLINE void storeFloats(float* to, Vector a) { vst1q_f32(to, a); }
#else
ALOFT_INLINE Words subtract(Words a, Words b) { return _mm256_sub_epi32(a, b); }
ALOFT_INLINE Words product(Words a, Words b) { return _mm256_mullo_epi32(a, b); }
ALOFT_INLINE Words both(Words a, Words b) { return _mm256_and_si256(a, b); }
template <int bits> ALOFT_INLINE Words shiftWords(Words a) { return _mm256_srli_epi16(a, bits); }
ALOFT_INLINE Words loadZeros(const uint8_t* from) {
  return _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from)));
}
ALOFT_INLINE Vector toFloats(Words a) { return _mm256_cvtepi32_ps(a); }
ALOFT_INLINE void storeFloats(float* to, Vector a) { _mm256_storeu_ps(to, a); }
#endif

// Scales and zeros of the rows of a vector, group after group.
struct GroupRows {
  const uint16_t* scale;
  const uint8_t* zero;  // null: 8

  GroupRows() = default;
  GroupRows(const LinearCall& call, int64_t tile, int64_t firstRow) {
    const int64_t first = tile * groupCount(call) * tileRows + firstRow;
    scale = call.groupScale + first;
    zero = call.groupZero == nullptr ? nullptr : call.groupZero + first;
  }

  Vector scales(int64_t g) const { return loadHalves(reinterpret_cast<const uint8_t*>(scale + g * tileRows)); }
  Words zeros(int64_t g) const { return zero == nullptr ? broadcastWord(8) : loadZeros(zero + g * tileRows); }
};

// sums + f32(dots - zeros * sum of the activations) * scales: a product and an addition, each rounded. Vector types
// have these operators, and nothing contracts them (build-native.mjs).
ALOFT_INLINE Vector addGroup(Vector sums, Words dots, Words zeros, int32_t activationSum, Vector scales) {
  return sums + toFloats(subtract(dots, product(zeros, broadcastWord(activationSum)))) * scales;
}

}  // namespace
}  // namespace aloft
