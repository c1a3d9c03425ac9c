// Asynchronous products of a warpgroup, compute capability 9.0 (`wgmma`): 64 rows, sums in registers; activations with
// f32 sums and a k of 16, or bytes with integer sums, or E4M3 with f32 sums, and a k of 32.
//
// Sums and operands of a requested product belong to the tensor cores until a wait. The compiler knows that of the
// instructions themselves; `hold` keeps it from moving what uses the sums across a wait or a request. Where it does not
// see that registers are left alone, it puts a wait after every product and says so (remarks C7510 to C7520).
//
// Sums: element i of a thread is row (i & 2) * 4 + lane / 4 of its warp's 16, and column
// i / 4 * 8 + lane % 4 * 2 + (i & 1).
//
// Matrices in shared memory have rows of 128 bytes: 16-byte piece p of row r lies at p ^ (r & 7), as tensor maps write
// them.
#pragma once
#include "cuda/types.cuh"

__device__ __forceinline__ void wgmma_begin() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
__device__ __forceinline__ void wgmma_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int pending> __device__ __forceinline__ void wgmma_wait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(pending) : "memory");
}
// Changes the registers of each thread of a warpgroup to `count`, so that others can have more.
template <int count> __device__ __forceinline__ void give_registers() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(count));
}
template <int count> __device__ __forceinline__ void take_registers() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(count));
}
template <int n> __device__ __forceinline__ void hold(float (&sums)[n]) {
#pragma unroll
  for (int i = 0; i < n; i++) asm volatile("" : "+f"(sums[i])::"memory");
}

// Descriptor of a matrix in shared memory. A matrix that is read along its rows begins at a multiple of 32 bytes, and
// `stride` is the distance from 8 rows to the next 8. One that is read along its columns has 64 columns in 128 bytes,
// and `leading` is the distance from 64 columns to the next 64.
__device__ __forceinline__ u64 wgmma_matrix(u32 address, u32 stride, u32 leading) {
  return (u64)(address >> 4) | (u64)(leading >> 4) << 16 | (u64)(stride >> 4) << 32 | 1ull << 62;
}

#ifdef ACT_BF16
#define WGMMA(shape) "wgmma.mma_async.sync.aligned." shape ".f32.bf16.bf16 "
#else
#define WGMMA(shape) "wgmma.mma_async.sync.aligned." shape ".f32.f16.f16 "
#endif
#define WGMMA_SUMS4(d, i) "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3])
#define WGMMA_SUMS16(d, i) WGMMA_SUMS4(d, i), WGMMA_SUMS4(d, i + 4), WGMMA_SUMS4(d, i + 8), WGMMA_SUMS4(d, i + 12)
#define WGMMA_SUMS64(d, i) WGMMA_SUMS16(d, i), WGMMA_SUMS16(d, i + 16), WGMMA_SUMS16(d, i + 32), WGMMA_SUMS16(d, i + 48)
#define WGMMA_TEN(t) "%" #t "0,%" #t "1,%" #t "2,%" #t "3,%" #t "4,%" #t "5,%" #t "6,%" #t "7,%" #t "8,%" #t "9,"
#define WGMMA_NAMES10 "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,"
#define WGMMA_NAMES30 WGMMA_NAMES10 WGMMA_TEN(1) WGMMA_TEN(2)
#define WGMMA_NAMES60 WGMMA_NAMES30 WGMMA_TEN(3) WGMMA_TEN(4) WGMMA_TEN(5)
#define WGMMA_NAMES90 WGMMA_NAMES60 WGMMA_TEN(6) WGMMA_TEN(7) WGMMA_TEN(8)
#define WGMMA_NAMES120 WGMMA_NAMES90 WGMMA_TEN(9) WGMMA_TEN(10) WGMMA_TEN(11)
#define WGMMA_NAMES32 WGMMA_NAMES30 "%30,%31"
#define WGMMA_NAMES64 WGMMA_NAMES60 "%60,%61,%62,%63"

// clang-format off: an instruction's text stays in one piece.

// sums[64 x 128] (+)= a[64 x 16] · b[128 x 16]ᵀ, both in shared memory, read along their rows. `add` 0 overwrites.
__device__ __forceinline__ void wgmma_rows(float (&sums)[64], u64 a, u64 b, int add) {
  asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %66, 0;\n"
               WGMMA("m64n128k16") "{" WGMMA_NAMES64 "}, %64, %65, p, 1, 1, 0, 0;\n}"
               : WGMMA_SUMS64(sums, 0)
               : "l"(a), "l"(b), "r"(add));
}

// sums[64 x 128] (+)= a[64 x 16] · b[16 x 128], a in registers as mma16816 takes it, b in shared memory, read along its
// columns.
__device__ __forceinline__ void wgmma_columns(float (&sums)[64], const u32* a, u64 b, int add) {
  asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %69, 0;\n"
               WGMMA("m64n128k16") "{" WGMMA_NAMES64 "}, {%64,%65,%66,%67}, %68, p, 1, 1, 1;\n}"
               : WGMMA_SUMS64(sums, 0)
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(add));
}

// The same with 64 columns.
__device__ __forceinline__ void wgmma_columns(float (&sums)[32], const u32* a, u64 b, int add) {
  asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %37, 0;\n"
               WGMMA("m64n64k16") "{" WGMMA_NAMES32 "}, {%32,%33,%34,%35}, %36, p, 1, 1, 1;\n}"
               : WGMMA_SUMS16(sums, 0), WGMMA_SUMS16(sums, 16)
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(add));
}

// sums[64 x N] += a[64 x 16] · b[N x 16]ᵀ for N of 32, 64, 96, 128 and 192, a in registers, b in shared memory, read
// along its rows.
#define WGMMA_ADD_ROWS(columns, names, a0, a1, a2, a3, matrix)                              \
  "{.reg .pred yes; setp.eq.u32 yes, 0, 0;\n"                                               \
  WGMMA("m64n" columns "k16") "{" names "}, {" a0 "," a1 "," a2 "," a3 "}, " matrix ", yes, 1, 1, 0;}"
// clang-format on

#define WGMMA_OPERANDS "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b)

__device__ __forceinline__ void wgmma_rows(float (&sums)[16], const u32 (&a)[4], u64 b) {
  asm volatile(WGMMA_ADD_ROWS("32", WGMMA_NAMES10 "%10,%11,%12,%13,%14,%15", "%16", "%17", "%18", "%19", "%20")
               : WGMMA_SUMS16(sums, 0)
               : WGMMA_OPERANDS);
}
__device__ __forceinline__ void wgmma_rows(float (&sums)[32], const u32 (&a)[4], u64 b) {
  asm volatile(WGMMA_ADD_ROWS("64", WGMMA_NAMES32, "%32", "%33", "%34", "%35", "%36")
               : WGMMA_SUMS16(sums, 0), WGMMA_SUMS16(sums, 16)
               : WGMMA_OPERANDS);
}
__device__ __forceinline__ void wgmma_rows(float (&sums)[48], const u32 (&a)[4], u64 b) {
  asm volatile(WGMMA_ADD_ROWS("96", WGMMA_NAMES30 WGMMA_TEN(3) "%40,%41,%42,%43,%44,%45,%46,%47", "%48", "%49", "%50",
                              "%51", "%52")
               : WGMMA_SUMS16(sums, 0), WGMMA_SUMS16(sums, 16), WGMMA_SUMS16(sums, 32)
               : WGMMA_OPERANDS);
}
__device__ __forceinline__ void wgmma_rows(float (&sums)[64], const u32 (&a)[4], u64 b) {
  asm volatile(WGMMA_ADD_ROWS("128", WGMMA_NAMES64, "%64", "%65", "%66", "%67", "%68")
               : WGMMA_SUMS64(sums, 0)
               : WGMMA_OPERANDS);
}
__device__ __forceinline__ void wgmma_rows(float (&sums)[96], const u32 (&a)[4], u64 b) {
  asm volatile(WGMMA_ADD_ROWS("192", WGMMA_NAMES90 "%90,%91,%92,%93,%94,%95", "%96", "%97", "%98", "%99", "%100")
               : WGMMA_SUMS64(sums, 0), WGMMA_SUMS16(sums, 64), WGMMA_SUMS16(sums, 80)
               : WGMMA_OPERANDS);
}

#define WGMMA_INTS4(d, i) "+r"(d[i]), "+r"(d[i + 1]), "+r"(d[i + 2]), "+r"(d[i + 3])
#define WGMMA_INTS16(d, i) WGMMA_INTS4(d, i), WGMMA_INTS4(d, i + 4), WGMMA_INTS4(d, i + 8), WGMMA_INTS4(d, i + 12)
#define WGMMA_INTS64(d, i) WGMMA_INTS16(d, i), WGMMA_INTS16(d, i + 16), WGMMA_INTS16(d, i + 32), WGMMA_INTS16(d, i + 48)

// sums[64 x N] += a[64 x 32] · b[N x 32]ᵀ in signed bytes, for N of 64, 96, 128, 192 and 256; operands as those of 16
// bits.
// clang-format off: an instruction's text stays in one piece.
#define WGMMA_ADD_BYTES(columns, names, a0, a1, a2, a3, matrix)                             \
  "{.reg .pred yes; setp.eq.u32 yes, 0, 0;\n"                                               \
  "wgmma.mma_async.sync.aligned.m64n" columns "k32.s32.s8.s8 "                              \
  "{" names "}, {" a0 "," a1 "," a2 "," a3 "}, " matrix ", yes;}"
// clang-format on

__device__ __forceinline__ void wgmma_rows(int (&sums)[32], const u32 (&a)[4], u64 b) {
  asm volatile(WGMMA_ADD_BYTES("64", WGMMA_NAMES32, "%32", "%33", "%34", "%35", "%36")
               : WGMMA_INTS16(sums, 0), WGMMA_INTS16(sums, 16)
               : WGMMA_OPERANDS);
}
__device__ __forceinline__ void wgmma_rows(int (&sums)[48], const u32 (&a)[4], u64 b) {
  asm volatile(WGMMA_ADD_BYTES("96", WGMMA_NAMES30 WGMMA_TEN(3) "%40,%41,%42,%43,%44,%45,%46,%47", "%48", "%49", "%50",
                               "%51", "%52")
               : WGMMA_INTS16(sums, 0), WGMMA_INTS16(sums, 16), WGMMA_INTS16(sums, 32)
               : WGMMA_OPERANDS);
}
__device__ __forceinline__ void wgmma_rows(int (&sums)[64], const u32 (&a)[4], u64 b) {
  asm volatile(WGMMA_ADD_BYTES("128", WGMMA_NAMES64, "%64", "%65", "%66", "%67", "%68")
               : WGMMA_INTS64(sums, 0)
               : WGMMA_OPERANDS);
}
__device__ __forceinline__ void wgmma_rows(int (&sums)[96], const u32 (&a)[4], u64 b) {
  asm volatile(WGMMA_ADD_BYTES("192", WGMMA_NAMES90 "%90,%91,%92,%93,%94,%95", "%96", "%97", "%98", "%99", "%100")
               : WGMMA_INTS64(sums, 0), WGMMA_INTS16(sums, 64), WGMMA_INTS16(sums, 80)
               : WGMMA_OPERANDS);
}
__device__ __forceinline__ void wgmma_rows(int (&sums)[128], const u32 (&a)[4], u64 b) {
  asm volatile(WGMMA_ADD_BYTES("256", WGMMA_NAMES120 "%120,%121,%122,%123,%124,%125,%126,%127", "%128", "%129", "%130",
                               "%131", "%132")
               : WGMMA_INTS64(sums, 0), WGMMA_INTS64(sums, 64)
               : WGMMA_OPERANDS);
}

// The same in E4M3; `add` 0 overwrites the sums.
// clang-format off: an instruction's text stays in one piece.
#define WGMMA_ADD_E4M3(columns, names, a0, a1, a2, a3, matrix, add)                         \
  "{.reg .pred p; setp.ne.b32 p, " add ", 0;\n"                                             \
  "wgmma.mma_async.sync.aligned.m64n" columns "k32.f32.e4m3.e4m3 "                          \
  "{" names "}, {" a0 "," a1 "," a2 "," a3 "}, " matrix ", p, 1, 1;}"
// clang-format on

__device__ __forceinline__ void wgmma_e4m3(float (&sums)[32], const u32 (&a)[4], u64 b, int add) {
  asm volatile(WGMMA_ADD_E4M3("64", WGMMA_NAMES32, "%32", "%33", "%34", "%35", "%36", "%37")
               : WGMMA_SUMS16(sums, 0), WGMMA_SUMS16(sums, 16)
               : WGMMA_OPERANDS, "r"(add));
}
__device__ __forceinline__ void wgmma_e4m3(float (&sums)[48], const u32 (&a)[4], u64 b, int add) {
  asm volatile(WGMMA_ADD_E4M3("96", WGMMA_NAMES30 WGMMA_TEN(3) "%40,%41,%42,%43,%44,%45,%46,%47", "%48", "%49", "%50",
                              "%51", "%52", "%53")
               : WGMMA_SUMS16(sums, 0), WGMMA_SUMS16(sums, 16), WGMMA_SUMS16(sums, 32)
               : WGMMA_OPERANDS, "r"(add));
}
__device__ __forceinline__ void wgmma_e4m3(float (&sums)[64], const u32 (&a)[4], u64 b, int add) {
  asm volatile(WGMMA_ADD_E4M3("128", WGMMA_NAMES64, "%64", "%65", "%66", "%67", "%68", "%69")
               : WGMMA_SUMS64(sums, 0)
               : WGMMA_OPERANDS, "r"(add));
}
