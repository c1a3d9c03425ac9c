#include "pool.h"
#include "api.h"
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace aloft {
namespace {

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

using Clock = std::chrono::steady_clock;

// Kernels of one step follow each other within microseconds; a sleeping thread needs tens of them to wake.
constexpr auto spinTime = std::chrono::microseconds(60);

// Polls `done` for spinTime. Looks at the clock only now and then: reading it costs more than a poll.
template <typename F> bool spinUntil(F&& done) {
  const auto deadline = Clock::now() + spinTime;
  for (;;) {
    for (int i = 0; i < 64; i++) {
      if (done()) return true;
      pause();
    }
    if (Clock::now() >= deadline) return false;
  }
}

// For waits that end soon: another thread is at work, perhaps descheduled.
template <typename F> void spinThenYield(F&& done) {
  if (spinUntil(done)) return;
  while (!done()) std::this_thread::yield();
}

thread_local bool insideRegion = false;

struct FreeDeleter {
  void operator()(void* memory) const { std::free(memory); }
};

struct alignas(64) Scratch {
  std::unique_ptr<void, FreeDeleter> memory;
  int64_t bytes = 0;
};

}  // namespace

void SpinBarrier::wait(int threadCount) {
  const unsigned current = round.load(std::memory_order_acquire);
  if (arrived.fetch_add(1, std::memory_order_acq_rel) == threadCount - 1) {
    arrived.store(0, std::memory_order_relaxed);
    round.store(current + 1, std::memory_order_release);
    return;
  }
  spinThenYield([&] { return round.load(std::memory_order_acquire) != current; });
}

class Pool {
public:
  Pool(int threadCount, Isa isa) : isa(isa), scratch(threadCount) {
    for (int thread = 1; thread < threadCount; thread++) workers.emplace_back([this, thread] { work(thread); });
  }

  ~Pool() {
    stopping = true;
    announce();
    for (std::thread& worker : workers) worker.join();
  }

  int threadCount() const { return static_cast<int>(workers.size()) + 1; }

  void run(Job newJob, void* newContext) {
    if (workers.empty() || insideRegion) {
      Team alone = {0, 1, nullptr};
      newJob(newContext, alone);
      return;
    }
    job = newJob;
    context = newContext;
    unfinished.store(static_cast<int>(workers.size()), std::memory_order_relaxed);
    announce();
    runAs(0);
    spinThenYield([&] { return unfinished.load(std::memory_order_acquire) == 0; });
  }

  const Isa isa;
  std::vector<Scratch> scratch;  // [threads]

private:
  void runAs(int thread) {
    insideRegion = true;
    Team team = {thread, threadCount(), &barrier};
    job(context, team);
    insideRegion = false;
  }

  // Sequentially consistent with the check in work(): either the worker sees the new generation or we see the sleeper.
  void announce() {
    generation.fetch_add(1);
    if (sleeperCount.load() == 0) return;
    const std::lock_guard guard(mutex);
    wake.notify_all();
  }

  void work(int thread) {
    for (unsigned seen = 0;; seen++) {
      const auto called = [&] { return generation.load() != seen; };
      if (!spinUntil(called)) {
        std::unique_lock lock(mutex);
        sleeperCount.fetch_add(1);
        wake.wait(lock, called);
        sleeperCount.fetch_sub(1);
      }
      if (stopping) return;
      runAs(thread);
      unfinished.fetch_sub(1, std::memory_order_release);
    }
  }

  std::vector<std::thread> workers;
  Job job = nullptr;
  void* context = nullptr;
  bool stopping = false;
  SpinBarrier barrier;
  alignas(64) std::atomic<unsigned> generation{0};
  alignas(64) std::atomic<int> unfinished{0};
  alignas(64) std::atomic<int> sleeperCount{0};
  std::mutex mutex;
  std::condition_variable wake;
};

int poolThreadCount(const Pool* pool) { return pool->threadCount(); }

Isa poolIsa(const Pool* pool) { return pool->isa; }

void* poolScratch(Pool* pool, int thread, int64_t bytes) {
  Scratch& own = pool->scratch[thread];
  if (own.bytes < bytes) {
    const int64_t rounded = (bytes + 4095) / 4096 * 4096;
    own.memory.reset(std::aligned_alloc(4096, rounded));
    own.bytes = rounded;
  }
  return own.memory.get();
}

void poolRun(Pool* pool, Job job, void* context) { pool->run(job, context); }

}  // namespace aloft

// Makes a pool of `threadCount` threads (the caller is one of them) whose kernels use instruction-set level `isa`, or
// the machine's highest when that is lower. Returns its handle.
ALOFT_API uint64_t aloft_pool_create(int threadCount, int isa) {
  const aloft::Isa highest = aloft::detectIsa();
  const aloft::Isa wanted = static_cast<aloft::Isa>(isa);
  return reinterpret_cast<uintptr_t>(new aloft::Pool(threadCount, wanted < highest ? wanted : highest));
}

ALOFT_API void aloft_pool_destroy(uint64_t pool) { delete aloft::pointer<aloft::Pool>(pool); }

ALOFT_API int aloft_pool_isa(uint64_t pool) {
  return static_cast<int>(aloft::poolIsa(aloft::pointer<aloft::Pool>(pool)));
}
