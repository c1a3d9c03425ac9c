// Instruction-set levels that kernels are written for. A machine that has a level has all lower ones.
#pragma once

namespace aloft {

#if defined(__aarch64__)
enum class Isa : int {
  portable = 0,  // what the compiler makes of plain C++
  neon = 1,      // NEON as every arm64 processor has it
  dotprod = 2,   // and FEAT_DotProd: 8-bit dot products
};
#else
enum class Isa : int {
  portable = 0,    // what the compiler makes of plain C++ for the baseline (SSE2 on x86-64)
  avx2 = 1,        // AVX2, FMA, F16C
  avx512 = 2,      // AVX-512 F, BW, VL, DQ
  avx512vnni = 3,  // and VNNI: 8-bit dot products
  amx = 4,         // and AVX-512 BF16, AMX tile, int8, bf16
};
#endif

// The highest level of this machine that the operating system lets this process use. Asks for the AMX permission.
Isa detectIsa();

}  // namespace aloft
