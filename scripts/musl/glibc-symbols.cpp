// Symbols of glibc that GCC's static libraries of Debian ask for, for a library that is linked with musl.
#include <dlfcn.h>
#include <sys/single_threaded.h>

#define HIDDEN __attribute__((visibility("hidden")))

extern "C" {

// Counts of references stay atomic.
HIDDEN char __libc_single_threaded = 0;

// No frame is found, so an exception ends the process. Kernels catch none, and it would end there anyway.
HIDDEN int _dl_find_object(void*, struct dl_find_object*) noexcept { return -1; }
}
