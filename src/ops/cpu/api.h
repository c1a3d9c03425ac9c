// Shared by every CPU kernel file: how a function is exported to TypeScript.
#pragma once
#include <cstdint>

// Exported functions take addresses as uint64_t, so that they cross the FFI as plain numbers.
#define ALOFT_API extern "C" __attribute__((visibility("default")))

namespace aloft {

template <typename T> inline T *pointer(uint64_t address) {
  return reinterpret_cast<T *>(static_cast<uintptr_t>(address));
}

} // namespace aloft
