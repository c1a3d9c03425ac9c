// Kernels that are written once and compiled for several instruction sets.
//
// A kernel body is a header that defines functions in namespace aloft::ALOFT_ISA, a name that follows from the
// compiler's flags. Files that include it: <op>.cpp (portable), <op>.avx2.cpp and <op>.avx512.cpp for x86-64, and
// <op>.neon.cpp for arm64. The namespaces keep the compiled variants apart: the linker would merge equal names, and old
// machines would meet instructions that they lack.
#pragma once
#include "isa.h"

#if defined(__AVX512F__)
#define ALOFT_ISA avx512
#elif defined(__AVX2__)
#define ALOFT_ISA avx2
#elif defined(ALOFT_NEON)
#define ALOFT_ISA neon
#else
#define ALOFT_ISA portable
#endif

// Declares `result name parameters` in every variant.
#define ALOFT_DECLARE_LEVELS(result, name, parameters) \
  namespace aloft::portable {                          \
  result name parameters;                              \
  }                                                    \
  namespace aloft::avx2 {                              \
  result name parameters;                              \
  }                                                    \
  namespace aloft::avx512 {                            \
  result name parameters;                              \
  }                                                    \
  namespace aloft::neon {                              \
  result name parameters;                              \
  }

// The variant of a declared function for a level.
#if defined(__x86_64__)
#define ALOFT_SELECT(isa, name)                      \
  ((isa) >= aloft::Isa::avx512 ? aloft::avx512::name \
   : (isa) >= aloft::Isa::avx2 ? aloft::avx2::name   \
                               : aloft::portable::name)
#elif defined(__aarch64__)
#define ALOFT_SELECT(isa, name) ((isa) >= aloft::Isa::neon ? aloft::neon::name : aloft::portable::name)
#else
#define ALOFT_SELECT(isa, name) (aloft::portable::name)
#endif
