// Layout of keys and values in the paged cache, and access to them: eight neighbouring elements a lane.
//
// 16 bits: a block is [layer][key, value][kvHead][token][headDim], elements are activations.
//
// 8 bits (KV_INT8 or KV_FP8): a block is [layer][kvHead] of { keys [token][headDim], values [token][headDim], scales of
// keys [token] f32, scales of values [token] f32 }, so that the part of a block that a head needs is one contiguous
// piece.
//   KV_INT8: value + 128, times the scale; the largest magnitude of a vector is 127.
//   KV_FP8: E4M3 read with f16's exponent bias, which makes it 2^-8 of its value; the scale has the factor. The largest
//     is 448.
#pragma once
#include "cuda/act.cuh"
#include "cuda/int8.cuh"
#include "cuda/memory.cuh"

#if defined(KV_INT8) || defined(KV_FP8)
#define KV_8BIT
#endif

#ifndef KV_8BIT

typedef u16 KvElement;
typedef Vec16 KvVector;

__device__ __forceinline__ KvVector kv_zero() { return zero16(); }
__device__ __forceinline__ KvVector kv_choose(bool first, const KvVector& a, const KvVector& b) {
  return choose(first, a, b);
}
__device__ __forceinline__ void kv_unpack(const KvVector& v, float (&out)[8]) { unpack8(v, out); }
__device__ __forceinline__ float kv_scaled(float sum, const KvVector&) { return sum; }
template <int lanes> __device__ __forceinline__ const KvVector& kv_from_activations(const Vec16& v) { return v; }

// Offset of a token's key or value.
__device__ __forceinline__ size_t kv_offset(u64 blockStride, int kvHeads, int block, int isValue, int kvHead,
                                            int token) {
  return block * blockStride + (((size_t)isValue * kvHeads + kvHead) * BLOCK_TOKENS + token) * HEAD_DIM;
}
__device__ __forceinline__ KvVector kv_load(const KvElement* cache, u64 blockStride, int kvHeads, int block,
                                            int isValue, int kvHead, int token, int lane) {
  return load_stream(cache + kv_offset(blockStride, kvHeads, block, isValue, kvHead, token) + lane * 8);
}
__device__ __forceinline__ void kv_store(KvElement* cache, u64 blockStride, int kvHeads, int block, int isValue,
                                         int kvHead, int token, int lane, const KvVector& v) {
  store16(cache + kv_offset(blockStride, kvHeads, block, isValue, kvHead, token) + lane * 8, v);
}
// Key and value of a token.
__device__ __forceinline__ void kv_store_both(KvElement* cache, u64 blockStride, int kvHeads, int block, int kvHead,
                                              int token, int lane, const KvVector& key, const KvVector& value) {
  KvElement* to = cache + block * blockStride + ((size_t)kvHead * BLOCK_TOKENS + token) * HEAD_DIM + lane * 8;
  store16(to, key);
  store16(to + (size_t)kvHeads * BLOCK_TOKENS * HEAD_DIM, value);
}

#else

#define KV_HALF_BYTES (BLOCK_TOKENS * HEAD_DIM)               // keys or values of a block and head
#define KV_HEAD_BYTES (2 * KV_HALF_BYTES + 8 * BLOCK_TOKENS)  // with the scales of both

typedef u8 KvElement;
// Eight elements and the scale of the vector that they belong to.
struct KvVector {
  u32 w[2];
  float scale;
};

__device__ __forceinline__ KvVector kv_zero() { return KvVector{{0, 0}, 0.f}; }

// Chooses word by word, as `choose` does.
__device__ __forceinline__ KvVector kv_choose(bool first, const KvVector& a, const KvVector& b) {
  KvVector v;
  v.w[0] = first ? a.w[0] : b.w[0];
  v.w[1] = first ? a.w[1] : b.w[1];
  v.scale = first ? a.scale : b.scale;
  return v;
}

// The numbers that are stored, not yet scaled.
__device__ __forceinline__ void kv_unpack(const KvVector& v, float (&out)[8]) {
#pragma unroll
  for (int i = 0; i < 2; i++) {
#ifdef KV_INT8
    // 0x4b000000 + u is 2^23 + u in f32.
    const u32 magic = 0x4b000000u;
    out[4 * i] = __uint_as_float(permute_bytes(v.w[i], magic, 0x7650)) - 8388736.f;
    out[4 * i + 1] = __uint_as_float(permute_bytes(v.w[i], magic, 0x7651)) - 8388736.f;
    out[4 * i + 2] = __uint_as_float(permute_bytes(v.w[i], magic, 0x7652)) - 8388736.f;
    out[4 * i + 3] = __uint_as_float(permute_bytes(v.w[i], magic, 0x7653)) - 8388736.f;
#else
    // Bytes to the upper halves of 16-bit words, then exponent and fraction down by one: a half without its topmost
    // exponent bit.
#pragma unroll
    for (int j = 0; j < 2; j++) {
      const u32 words = permute_bytes(v.w[i], 0, j == 0 ? 0x1404 : 0x3424);
      const u32 halves = (words & 0x80008000u) | ((words & 0x7f007f00u) >> 1);
      out[4 * i + 2 * j] = half_bits_to_float((u16)halves);
      out[4 * i + 2 * j + 1] = half_bits_to_float((u16)(halves >> 16));
    }
#endif
  }
}

__device__ __forceinline__ float kv_scaled(float sum, const KvVector& v) { return sum * v.scale; }

// Factors before elements are stored, and after they are loaded: the largest magnitude becomes the largest code.
// Vectors too small to divide by become zeros. Divisions round correctly, as in the references, whatever the compiler's
// flags.
__device__ __forceinline__ float kv_inverse_of(float largest) {
#ifdef KV_INT8
  const float top = 127.f;
#else
  const float top = 448.f;
#endif
  return largest > 0x1p-100f ? __fdiv_rn(top, largest) : 0.f;
}
__device__ __forceinline__ float kv_scale_of(float largest) {
#ifdef KV_INT8
  return __fdiv_rn(largest, 127.f);
#else
  return __fdiv_rn(largest, 1.75f);  // 448 * 2^-8
#endif
}

// The code of a number in the format's range, rounded to nearest even.
__device__ __forceinline__ u32 kv_encode(float x) {
#ifdef KV_INT8
  return (u32)(min(max(__float2int_rn(x), -127), 127) + 128);
#else
  const u32 bits = __float_as_uint(x), magnitude = bits & 0x7fffffffu;
  // Adding 2^14 leaves the count of 2^-9 steps, the step of subnormal numbers, in the low bits.
  const u32 subnormal = __float_as_uint(__uint_as_float(magnitude) + 16384.f) - 0x46800000u;
  const u32 normal = (magnitude + 0x7ffffu + ((magnitude >> 20) & 1) - 0x3c000000u) >> 20;
  return min(magnitude < 0x3c800000u ? subnormal : normal, 0x7eu) | (bits >> 24 & 0x80u);
#endif
}

// Eight activations a lane of a vector that `lanes` neighbouring lanes hold. All lanes of the warp take part.
template <int lanes> __device__ __forceinline__ KvVector kv_from_activations(const Vec16& activations) {
  float x[8];
  unpack8(activations, x);
  float largest = 0.f;
#pragma unroll
  for (int i = 0; i < 8; i++) largest = fmaxf(largest, fabsf(x[i]));
#pragma unroll
  for (int mask = lanes / 2; mask > 0; mask >>= 1)
    largest = fmaxf(largest, __shfl_xor_sync(0xffffffffu, largest, mask));
  const float inverse = kv_inverse_of(largest);
  KvVector v = {{0, 0}, kv_scale_of(largest)};
#pragma unroll
  for (int i = 0; i < 8; i++) v.w[i / 4] |= kv_encode(x[i] * inverse) << (i % 4 * 8);
  return v;
}

// Offset of a token's key or value, and of its scale.
__device__ __forceinline__ size_t kv_offset(u64 blockStride, int block, int isValue, int kvHead, int token) {
  return block * blockStride + (size_t)kvHead * KV_HEAD_BYTES + (isValue * BLOCK_TOKENS + token) * HEAD_DIM;
}
__device__ __forceinline__ size_t kv_scale_offset(u64 blockStride, int block, int isValue, int kvHead, int token) {
  return block * blockStride + (size_t)kvHead * KV_HEAD_BYTES + 2 * KV_HALF_BYTES +
         (isValue * BLOCK_TOKENS + token) * 4;
}

// Loads data that is read once: it does not displace what other kernels keep in L1.
__device__ __forceinline__ KvVector kv_load(const KvElement* cache, u64 blockStride, int kvHeads, int block,
                                            int isValue, int kvHead, int token, int lane) {
  const u8* from = cache + kv_offset(blockStride, block, isValue, kvHead, token) + lane * 8;
  KvVector v;
  asm volatile("ld.global.nc.L1::no_allocate.v2.u32 {%0,%1}, [%2];" : "=r"(v.w[0]), "=r"(v.w[1]) : "l"(from));
  asm volatile("ld.global.nc.f32 %0, [%1];"
               : "=f"(v.scale)
               : "l"(cache + kv_scale_offset(blockStride, block, isValue, kvHead, token)));
  return v;
}
__device__ __forceinline__ void kv_store(KvElement* cache, u64 blockStride, int kvHeads, int block, int isValue,
                                         int kvHead, int token, int lane, const KvVector& v) {
  u8* to = cache + kv_offset(blockStride, block, isValue, kvHead, token) + lane * 8;
  asm volatile("st.global.v2.u32 [%0], {%1,%2};" ::"l"(to), "r"(v.w[0]), "r"(v.w[1]) : "memory");
  if (lane == 0)
    asm volatile("st.global.f32 [%0], %1;" ::"l"(cache + kv_scale_offset(blockStride, block, isValue, kvHead, token)),
                 "f"(v.scale)
                 : "memory");
}

__device__ __forceinline__ void kv_store_both(KvElement* cache, u64 blockStride, int kvHeads, int block, int kvHead,
                                              int token, int lane, const KvVector& key, const KvVector& value) {
  kv_store(cache, blockStride, kvHeads, block, 0, kvHead, token, lane, key);
  kv_store(cache, blockStride, kvHeads, block, 1, kvHead, token, lane, value);
}

// Eight elements in shared memory with the scale of their vector.
__device__ __forceinline__ KvVector kv_load_shared(u32 elements, u32 scale) {
  KvVector v;
  asm volatile("ld.shared.v2.u32 {%0,%1}, [%2];" : "=r"(v.w[0]), "=r"(v.w[1]) : "r"(elements));
  asm volatile("ld.shared.f32 %0, [%1];" : "=f"(v.scale) : "r"(scale));
  return v;
}
__device__ __forceinline__ void kv_store_shared(u32 elements, u32 scale, const KvVector& v) {
  asm volatile("st.shared.v2.u32 [%0], {%1,%2};" ::"r"(elements), "r"(v.w[0]), "r"(v.w[1]) : "memory");
  asm volatile("st.shared.f32 [%0], %1;" ::"r"(scale), "f"(v.scale) : "memory");
}

#endif
