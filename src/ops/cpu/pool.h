// The thread pool that every CPU kernel runs on.
//
//   aloft::parallel(pool, [&](aloft::Team &team) {
//     const auto [begin, end] = team.range(rowCount);
//     ... rows [begin, end) ...
//     team.barrier();            // when a second phase reads what other threads wrote
//   });
//
// Thread 0 is the caller. Ranges are static, so a thread meets the same rows (and its caches the same data) in each
// call. A pool is used from one thread at a time. A parallel region inside a parallel region runs on its caller alone.
#pragma once
#include "api.h"
#include "isa.h"
#include <atomic>
#include <cstdint>
#include <type_traits>

namespace aloft {

struct Range {
  int64_t begin, end;
};

// Part `index` of [0, count) cut into `parts` whose sizes differ by at most one unit of `granularity`.
ALOFT_INLINE Range partition(int64_t count, int index, int parts, int64_t granularity = 1) {
  const int64_t units = (count + granularity - 1) / granularity;
  const auto cut = [&](int64_t part) {
    const int64_t at = units * part / parts * granularity;
    return at < count ? at : count;
  };
  return {cut(index), cut(index + 1)};
}

class SpinBarrier {
public:
  void wait(int threadCount);

private:
  std::atomic<int> arrived{0};
  std::atomic<unsigned> round{0};
};

// One thread's view of a parallel region.
struct Team {
  int thread;
  int threadCount;
  SpinBarrier* spinBarrier;

  [[gnu::always_inline]] Range range(int64_t count, int64_t granularity = 1) const {
    return partition(count, thread, threadCount, granularity);
  }
  // All threads of the region must call it equally often.
  [[gnu::always_inline]] void barrier() const {
    if (threadCount > 1) spinBarrier->wait(threadCount);
  }
};

class Pool;

int poolThreadCount(const Pool* pool);
// The level that kernels given this pool dispatch on.
Isa poolIsa(const Pool* pool);
// Scratch memory of a thread, 64-byte aligned, at least `bytes`; contents do not outlive the kernel call.
// Call it before the parallel region or inside it, for the own thread only.
void* poolScratch(Pool* pool, int thread, int64_t bytes);

using Job = void (*)(void* context, Team& team);
// Runs `job` once on every thread and returns when all are done.
void poolRun(Pool* pool, Job job, void* context);

template <typename F> ALOFT_INLINE void parallel(Pool* pool, F&& body) {
  using Body = std::remove_reference_t<F>;
  poolRun(pool, [](void* context, Team& team) { (*static_cast<Body*>(context))(team); }, &body);
}

// body(begin, end) on each thread that has work. `granularity` keeps cuts at multiples of it.
template <typename F> ALOFT_INLINE void parallelFor(Pool* pool, int64_t count, int64_t granularity, F&& body) {
  if (count <= granularity) {
    if (count > 0) body(int64_t{0}, count);
    return;
  }
  parallel(pool, [&](Team& team) {
    const auto [begin, end] = team.range(count, granularity);
    if (begin < end) body(begin, end);
  });
}

}  // namespace aloft
