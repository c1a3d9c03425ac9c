// CPUID leaves and bits: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2A, CPUID.
#include "isa.h"
#include "api.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#if defined(__x86_64__) && defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#if defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace aloft {

#if defined(__x86_64__)
namespace {

struct Leaf {
  unsigned eax, ebx, ecx, edx;
};

Leaf cpuid(unsigned leaf, unsigned subleaf) {
  Leaf out = {};
  __get_cpuid_count(leaf, subleaf, &out.eax, &out.ebx, &out.ecx, &out.edx);
  return out;
}

bool bit(unsigned word, int index) { return (word >> index) & 1; }

// XCR0: which register states the operating system saves.
unsigned enabledStates() {
  unsigned low = 0, high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

bool hasStates(unsigned mask) { return (enabledStates() & mask) == mask; }

// Linux hands out the 8 KiB of tile registers only to processes that ask.
bool requestTilePermission() {
#if defined(__linux__)
  constexpr long archReqXcompPerm = 0x1023, xfeatureXtiledata = 18;
  return syscall(SYS_arch_prctl, archReqXcompPerm, xfeatureXtiledata) == 0;
#else
  return false;
#endif
}

}  // namespace

Isa detectIsa() {
  constexpr unsigned ymmStates = 0x6, zmmStates = 0xe6, tileStates = 0x60000;
  const Leaf basic = cpuid(1, 0), extended = cpuid(7, 0), more = cpuid(7, 1);
  const bool osSavesExtended = bit(basic.ecx, 27);
  const bool avx2 =
      osSavesExtended && hasStates(ymmStates) && bit(extended.ebx, 5) && bit(basic.ecx, 12) && bit(basic.ecx, 29);
  if (!avx2) return Isa::portable;
  const bool avx512 = hasStates(zmmStates) && bit(extended.ebx, 16) && bit(extended.ebx, 17) && bit(extended.ebx, 30) &&
                      bit(extended.ebx, 31);
  if (!avx512) return Isa::avx2;
  if (!bit(extended.ecx, 11)) return Isa::avx512;
  const bool amx = bit(extended.edx, 22) && bit(extended.edx, 24) && bit(extended.edx, 25) && bit(more.eax, 5) &&
                   hasStates(tileStates) && requestTilePermission();
  return amx ? Isa::amx : Isa::avx512vnni;
}
#elif defined(__aarch64__) && defined(__linux__)
Isa detectIsa() { return getauxval(AT_HWCAP) & HWCAP_ASIMDDP ? Isa::dotprod : Isa::neon; }
#elif defined(__aarch64__)
Isa detectIsa() { return Isa::neon; }
#else
Isa detectIsa() { return Isa::portable; }
#endif

}  // namespace aloft

ALOFT_API int aloft_isa_detect() { return static_cast<int>(aloft::detectIsa()); }
