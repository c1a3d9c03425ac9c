#include "limits-body.h"
#include "pool.h"
#include <atomic>

namespace aloft {
namespace {

enum class Arithmetic : int { f32 = 0, int8 = 1, amxInt8 = 2, amxBf16 = 3 };

double peak([[maybe_unused]] Isa isa, Arithmetic arithmetic, int64_t rounds) {
  if (arithmetic == Arithmetic::f32) return ALOFT_SELECT(isa, peakF32)(rounds);
#if defined(__x86_64__)
  if (arithmetic == Arithmetic::int8 && isa >= Isa::avx512vnni) return peakInt8Vnni(rounds);
  if (arithmetic == Arithmetic::int8 && isa == Isa::avx2) return peakInt8Avx2(rounds);
  if (arithmetic == Arithmetic::amxInt8 && isa == Isa::amx) return peakInt8Amx(rounds);
  if (arithmetic == Arithmetic::amxBf16 && isa == Isa::amx) return peakBf16Amx(rounds);
#elif defined(__aarch64__)
  if (arithmetic == Arithmetic::int8 && isa == Isa::dotprod) return peakInt8Dotprod(rounds);
#endif
  return 0;
}

}  // namespace
}  // namespace aloft

// Reads `byteCount` bytes once, on all threads. Returns a value that depends on all of them.
ALOFT_API double aloft_limit_read(uint64_t poolAddress, uint64_t address, int64_t byteCount) {
  using namespace aloft;
  Pool* pool = pointer<Pool>(poolAddress);
  const auto read = ALOFT_SELECT(poolIsa(pool), readWords);
  std::atomic<uint64_t> total{0};
  parallelFor(pool, byteCount / 8, 512, [&](int64_t first, int64_t last) {
    total ^= read(pointer<const uint64_t>(address) + first, last - first);
  });
  return static_cast<double>(total.load());
}

// Runs `rounds` of arithmetic (enum Arithmetic) on all threads. Returns the operations done, 0 where the level has none
// such.
ALOFT_API double aloft_limit_peak(uint64_t poolAddress, int arithmetic, int64_t rounds) {
  using namespace aloft;
  Pool* pool = pointer<Pool>(poolAddress);
  std::atomic<double> total{0};
  parallel(pool, [&](Team&) { total += peak(poolIsa(pool), static_cast<Arithmetic>(arithmetic), rounds); });
  return total.load();
}
