// Cost of an empty parallel region: the floor of every kernel call.
#include "api.h"
#include "pool.h"
#include <chrono>

// Mean nanoseconds of a region with one barrier, over `rounds` of them; -1 when a thread missed a round.
ALOFT_API double aloft_pool_latency(uint64_t poolAddress, int rounds) {
  aloft::Pool* pool = aloft::pointer<aloft::Pool>(poolAddress);
  std::atomic<int64_t> before{0}, after{0};
  bool complete = true;
  const auto start = std::chrono::steady_clock::now();
  for (int round = 1; round <= rounds; round++) {
    aloft::parallel(pool, [&](aloft::Team& team) {
      before.fetch_add(1);
      team.barrier();
      if (before.load() == int64_t{round} * team.threadCount) after.fetch_add(1);
    });
    complete = complete && after.load() == int64_t{round} * aloft::poolThreadCount(pool);
  }
  const std::chrono::duration<double, std::nano> elapsed = std::chrono::steady_clock::now() - start;
  return complete ? elapsed.count() / rounds : -1;
}
