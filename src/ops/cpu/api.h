// Shared by every CPU kernel file: how a function is exported to TypeScript.
#pragma once
#include <cstdint>

// Exported functions take addresses as uint64_t, so that they cross the FFI as plain numbers.
#define ALOFT_API extern "C" __attribute__((visibility("default")))

// For every function that a header defines. Files of different instruction sets include the same headers; an ordinary
// inline function would exist once, compiled for whichever of them the linker happened to keep.
#define ALOFT_INLINE [[gnu::always_inline]] static inline

namespace aloft {

template <typename T> ALOFT_INLINE T *pointer(uint64_t address) {
  return reinterpret_cast<T *>(static_cast<uintptr_t>(address));
}

} // namespace aloft
