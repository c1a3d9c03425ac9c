// Shared by every CPU kernel file: how a function is exported to TypeScript.
#pragma once
#include <cstdint>

// Exported functions take addresses as uint64_t, so that they cross the FFI as plain numbers.
#define ALOFT_API extern "C" __attribute__((visibility("default")))

// For what every instruction set's files share: the linker keeps one copy of an inline function, perhaps for another
// set.
#define ALOFT_INLINE inline __attribute__((always_inline))

namespace aloft {

template <typename T> ALOFT_INLINE T* pointer(uint64_t address) {
  return reinterpret_cast<T*>(static_cast<uintptr_t>(address));
}

}  // namespace aloft
