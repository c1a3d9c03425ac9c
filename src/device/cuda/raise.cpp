// The one native function that is no kernel: tells another thread that a stream has come to a point.
// CUDA calls functions of the host on a thread of its own, where there is no JavaScript (docs/decisions/0011).
#include "ops/cpu/api.h"
#include <unistd.h>

// A CUstreamCallback: writes a byte to the descriptor in `data`. A full or closed pipe takes none, and nothing is lost
// by that.
ALOFT_API void aloft_raise(void*, int, void* data) {
  const char byte = 1;
  [[maybe_unused]] const ssize_t written = write(static_cast<int>(reinterpret_cast<intptr_t>(data)), &byte, 1);
}
