// What every kernel file starts with. It needs no CUDA header, so that NVRTC alone compiles it.
// ACT_BF16 (defined or not) chooses the 16-bit type of activations and dense weights.
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef signed char i8;

struct alignas(16) Vec16 {
  u32 w[4];
};

// ---- 16-bit activations: bits are moved as u16/u32, arithmetic is done in f32 ----

__device__ __forceinline__ float half_bits_to_float(u16 bits) {
  float value;
  asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
  return value;
}

// Two f32 rounded to nearest even and packed, `low` in the low half.
__device__ __forceinline__ u32 pack_act(float low, float high) {
  u32 packed;
#ifdef ACT_BF16
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(high), "f"(low));
#else
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(high), "f"(low));
#endif
  return packed;
}

__device__ __forceinline__ float act_low(u32 packed) {
#ifdef ACT_BF16
  return __uint_as_float(packed << 16);
#else
  return half_bits_to_float((u16)packed);
#endif
}

__device__ __forceinline__ float act_high(u32 packed) {
#ifdef ACT_BF16
  return __uint_as_float(packed & 0xffff0000u);
#else
  return half_bits_to_float((u16)(packed >> 16));
#endif
}

__device__ __forceinline__ float act_to_float(u16 bits) { return act_low(bits); }
__device__ __forceinline__ u16 float_to_act(float value) { return (u16)pack_act(value, 0.f); }
// The value as an activation holds it.
__device__ __forceinline__ float round_act(float value) { return act_low(pack_act(value, 0.f)); }

__device__ __forceinline__ void unpack8(const Vec16& v, float (&out)[8]) {
#pragma unroll
  for (int i = 0; i < 4; i++) {
    out[2 * i] = act_low(v.w[i]);
    out[2 * i + 1] = act_high(v.w[i]);
  }
}

__device__ __forceinline__ Vec16 pack8(const float (&in)[8]) {
  Vec16 v;
#pragma unroll
  for (int i = 0; i < 4; i++) v.w[i] = pack_act(in[2 * i], in[2 * i + 1]);
  return v;
}

// ---- memory ----

__device__ __forceinline__ Vec16 zero16() { return Vec16{{0, 0, 0, 0}}; }

// By words: a choice between two structs would send both to local memory.
__device__ __forceinline__ Vec16 choose(bool first, const Vec16& a, const Vec16& b) {
  Vec16 v;
#pragma unroll
  for (int i = 0; i < 4; i++) v.w[i] = first ? a.w[i] : b.w[i];
  return v;
}

// Read once: does not displace what other kernels keep in L1.
__device__ __forceinline__ Vec16 load_stream(const void* p) {
  Vec16 v;
  asm volatile("ld.global.nc.L1::no_allocate.L2::256B.v4.u32 {%0,%1,%2,%3}, [%4];"
               : "=r"(v.w[0]), "=r"(v.w[1]), "=r"(v.w[2]), "=r"(v.w[3])
               : "l"(p));
  return v;
}

// Written by an earlier kernel of the same stream; read through L1.
__device__ __forceinline__ Vec16 load16(const void* p) {
  Vec16 v;
  asm volatile("ld.global.v4.u32 {%0,%1,%2,%3}, [%4];"
               : "=r"(v.w[0]), "=r"(v.w[1]), "=r"(v.w[2]), "=r"(v.w[3])
               : "l"(p)
               : "memory");
  return v;
}

// Four numbers of a table that no kernel writes.
__device__ __forceinline__ void load_constant4(const float* p, float* to) {
  asm("ld.global.nc.v4.f32 {%0,%1,%2,%3}, [%4];" : "=f"(to[0]), "=f"(to[1]), "=f"(to[2]), "=f"(to[3]) : "l"(p));
}

__device__ __forceinline__ u32 load4(const void* p) {
  u32 word;
  asm volatile("ld.global.u32 %0, [%1];" : "=r"(word) : "l"(p) : "memory");
  return word;
}

__device__ __forceinline__ void store16(void* p, const Vec16& v) {
  asm volatile("st.global.v4.u32 [%0], {%1,%2,%3,%4};" ::"l"(p), "r"(v.w[0]), "r"(v.w[1]), "r"(v.w[2]),
               "r"(v.w[3])
               : "memory");
}

__device__ __forceinline__ u32 shared_address(const void* p) { return (u32)__cvta_generic_to_shared(p); }

__device__ __forceinline__ Vec16 load_shared16(u32 address) {
  Vec16 v;
  asm volatile("ld.shared.v4.u32 {%0,%1,%2,%3}, [%4];" : "=r"(v.w[0]), "=r"(v.w[1]), "=r"(v.w[2]), "=r"(v.w[3]) : "r"(address));
  return v;
}

__device__ __forceinline__ void store_shared16(u32 address, const Vec16& v) {
  asm volatile("st.shared.v4.u32 [%0], {%1,%2,%3,%4};" ::"r"(address), "r"(v.w[0]), "r"(v.w[1]), "r"(v.w[2]), "r"(v.w[3]) : "memory");
}

// Four 8x8 matrices of 16-bit values whose rows' addresses lanes 0-7, 8-15, 16-23 and 24-31 give: word i of lane 4 g + t is
// columns 2t and 2t + 1 of row g of matrix i.
__device__ __forceinline__ Vec16 load_matrices(u32 address) {
  Vec16 v;
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];" : "=r"(v.w[0]), "=r"(v.w[1]), "=r"(v.w[2]), "=r"(v.w[3]) : "r"(address));
  return v;
}

// Of the transposed matrices.
__device__ __forceinline__ Vec16 load_matrices_transposed(u32 address) {
  Vec16 v;
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];" : "=r"(v.w[0]), "=r"(v.w[1]), "=r"(v.w[2]), "=r"(v.w[3]) : "r"(address));
  return v;
}

// ---- programmatic dependent launch ----
// Every kernel of a chain first lets its successor start, does what depends on nobody (weights), then waits for its
// predecessor. Because every block waits, "my predecessor is done" implies that all earlier kernels are done.

__device__ __forceinline__ void allow_successor() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

__device__ __forceinline__ void wait_predecessor() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

// ---- warps ----

__device__ __forceinline__ float warp_sum(float value) {
#pragma unroll
  for (int mask = 16; mask > 0; mask >>= 1) value += __shfl_xor_sync(0xffffffffu, value, mask);
  return value;
}

__device__ __forceinline__ float warp_max(float value) {
#pragma unroll
  for (int mask = 16; mask > 0; mask >>= 1) value = fmaxf(value, __shfl_xor_sync(0xffffffffu, value, mask));
  return value;
}

// Sum over the block in an order that depends on nothing but the block's size. `scratch` holds one float a warp.
__device__ __forceinline__ float block_sum(float value, float* scratch) {
  value = warp_sum(value);
  if ((threadIdx.x & 31) == 0) scratch[threadIdx.x >> 5] = value;
  __syncthreads();
  float sum = 0.f;
  for (int i = 0; i < (int)(blockDim.x >> 5); i++) sum += scratch[i];
  __syncthreads();
  return sum;
}

// Four words of each of four neighbouring lanes, transposed: lane t gets word t of each.
__device__ __forceinline__ void transpose4(u32 (&w)[4]) {
  const bool odd = threadIdx.x & 1, upper = threadIdx.x & 2;
#pragma unroll
  for (int i = 0; i < 4; i += 2) {
    const u32 other = __shfl_xor_sync(0xffffffffu, odd ? w[i] : w[i + 1], 1);
    (odd ? w[i] : w[i + 1]) = other;
  }
#pragma unroll
  for (int i = 0; i < 2; i++) {
    const u32 other = __shfl_xor_sync(0xffffffffu, upper ? w[i] : w[i + 2], 2);
    (upper ? w[i] : w[i + 2]) = other;
  }
}

// ---- tensor cores: d[16x8] += a[16x16] · b[16x8], f32 sums ----

__device__ __forceinline__ void mma16816(float (&d)[4], const u32 (&a)[4], u32 b0, u32 b1) {
#ifdef ACT_BF16
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
#else
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
#endif
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// ---- int8 weights, stored as value + 128 ----

__device__ __forceinline__ u32 permute_bytes(u32 a, u32 b, u32 selector) {
  u32 out;
  asm("prmt.b32 %0, %1, %2, %3;" : "=r"(out) : "r"(a), "r"(b), "r"(selector));
  return out;
}

// Four stored bytes -> four activations in two registers, exact: every value in [-128, 127] fits both types.
__device__ __forceinline__ void dequantise4(u32 bytes, u32& low, u32& high) {
#ifdef ACT_BF16
  // 0x4b000000 + u is 2^23 + u in f32.
  const u32 magic = 0x4b000000u;
  float f0 = __uint_as_float(permute_bytes(bytes, magic, 0x7650)) - 8388736.f;
  float f1 = __uint_as_float(permute_bytes(bytes, magic, 0x7651)) - 8388736.f;
  float f2 = __uint_as_float(permute_bytes(bytes, magic, 0x7652)) - 8388736.f;
  float f3 = __uint_as_float(permute_bytes(bytes, magic, 0x7653)) - 8388736.f;
  low = pack_act(f0, f1);
  high = pack_act(f2, f3);
#else
  // 0x6400 + u is 1024 + u in f16; 0x6480 is 1152.
  const u32 magic = 0x64646464u;
  u32 l = permute_bytes(bytes, magic, 0x5140);
  u32 h = permute_bytes(bytes, magic, 0x5342);
  asm("sub.f16x2 %0, %1, %2;" : "=r"(low) : "r"(l), "r"(0x64806480u));
  asm("sub.f16x2 %0, %1, %2;" : "=r"(high) : "r"(h), "r"(0x64806480u));
#endif
}

// ---- bulk copies into shared memory, compute capability 9.0 ----
// A barrier completes a phase when its arrivals and the announced bytes have come.

#if __CUDA_ARCH__ >= 900
__device__ __forceinline__ void barrier_init(u32 barrier, u32 count) {
  asm volatile("mbarrier.init.shared.b64 [%0], %1;" ::"r"(barrier), "r"(count) : "memory");
}
__device__ __forceinline__ void barrier_expect(u32 barrier, u32 bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared.b64 _, [%0], %1;" ::"r"(barrier), "r"(bytes) : "memory");
}
__device__ __forceinline__ void barrier_arrive(u32 barrier) {
  asm volatile("mbarrier.arrive.shared.b64 _, [%0];" ::"r"(barrier) : "memory");
}
// `space`: whose writes are seen after the wait, and where the barrier lies.
#define BARRIER_WAIT(space) \
  "{\n.reg .pred done;\nWAIT:\nmbarrier.try_wait.parity" space ".b64 done, [%0], %1;\n@done bra DONE;\nbra WAIT;\nDONE:\n}"
__device__ __forceinline__ void barrier_wait(u32 barrier, u32 parity) {
  asm volatile(BARRIER_WAIT(".shared") ::"r"(barrier), "r"(parity) : "memory");
}
// Between the initialisation of barriers and the block's synchronisation.
__device__ __forceinline__ void barriers_fence() { asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory"); }
// Between ordinary stores into shared memory and copies or products that come after a barrier.
__device__ __forceinline__ void shared_stores_fence() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }
__device__ __forceinline__ u64 evict_first_policy() {
  u64 policy;
  asm("createpolicy.fractional.L2::evict_first.b64 %0, 1.0;" : "=l"(policy));
  return policy;
}
__device__ __forceinline__ void bulk_copy(u32 target, const void* source, u32 bytes, u32 barrier) {
  asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(target),
               "l"(source), "r"(bytes), "r"(barrier)
               : "memory");
}
// Data that will not be read again soon.
__device__ __forceinline__ void bulk_copy_once(u32 target, const void* source, u32 bytes, u32 barrier, u64 policy) {
  asm volatile(
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint [%0], [%1], %2, [%3], %4;" ::"r"(target),
      "l"(source), "r"(bytes), "r"(barrier), "l"(policy)
      : "memory");
}
// A CUtensorMap. It is a kernel argument and no pointer: see tensor-map.ts.
struct alignas(64) TensorMap {
  u64 opaque[16];
};
// Does not read what it maps.
__device__ __forceinline__ void prefetch_map(const TensorMap* map) { asm volatile("prefetch.tensormap [%0];" ::"l"(map) : "memory"); }
// A box at a column and a row of the mapped matrix.
__device__ __forceinline__ void box_copy(u32 target, const void* map, int column, int row, u32 barrier) {
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3}], [%4];" ::"r"(target),
      "l"(map), "r"(column), "r"(row), "r"(barrier)
      : "memory");
}
#endif
