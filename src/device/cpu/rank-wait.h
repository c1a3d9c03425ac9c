// Waits of ranks of one host for each other: counters in memory that their processes share.  A rank waits for a counter
// of another one: it polls for a moment, then sleeps in the kernel (futex) in slices. After each slice it looks whether
// every rank lives (pidfd), whether one is stopped, and whether its patience is over. No wait is endless, except that
// for work: there, only the life of rank 0 counts.
#pragma once
#include <atomic>
#include <cerrno>
#include <chrono>
#include <climits>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

namespace aloft {

constexpr int maxRanks = 64;

// Kinds of failure; `src/device/cpu/rank-group.ts` has the same numbers.
enum Fault { died = 1, late = 2, diverged = 3 };

struct alignas(64) Counter {
  std::atomic<uint32_t> value;
  std::atomic<uint32_t> sleeperCount;
};

struct RankState {
  Counter arrived;
  Counter echoed;
  alignas(64) std::atomic<int32_t> pid;
  // Exchanges of the rank in even and in odd rounds: count * 4 + kind.
  std::atomic<int64_t> exchange[2];
};

// The start of the shared memory, zero at first. Two buffers for each rank follow.
struct Shared {
  // Fault * 256 + rank that is to blame; 0: all is well. The first one stays.
  alignas(64) std::atomic<int32_t> failure;
  Counter commanded;
  RankState ranks[maxRanks];
};

using Clock = std::chrono::steady_clock;
constexpr auto spinTime = std::chrono::microseconds(60);
constexpr int sliceMs = 20;
// A rank that is stopped for so long, by a signal or a debugger, does not come back in time.
constexpr int stoppedLimitMs = 1000;

struct Group {
  Shared* shared;
  float* buffers;  // [ranks, 2, pieceCount]
  int64_t pieceCount;
  int rank, rankCount;
  int patienceMs;
  bool maySpin;
  uint32_t round = 0;
  int pidfds[maxRanks];
  int stoppedMs[maxRanks] = {};
};

// Numbers that a rank shows in a round; they stay until the round after the next.
inline float* bufferOf(const Group& group, int rank, uint32_t round) {
  return group.buffers + (rank * 2 + (round & 1)) * group.pieceCount;
}

inline void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

inline bool hasReached(const Counter& counter, uint32_t target) {
  return static_cast<int32_t>(counter.value.load(std::memory_order_seq_cst) - target) >= 0;
}

inline void wakeAll(Counter& counter) {
  if (counter.sleeperCount.load(std::memory_order_seq_cst) > 0)
    syscall(SYS_futex, &counter.value, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

// Sequentially consistent with the check of a sleeper: it sees the new value, or this sees the sleeper.
inline void advance(Counter& counter, uint32_t value) {
  counter.value.store(value, std::memory_order_seq_cst);
  wakeAll(counter);
}

inline int fail(Group& group, Fault fault, int rank) {
  int32_t none = 0;
  group.shared->failure.compare_exchange_strong(none, fault * 256 + rank);
  return group.shared->failure.load();
}

inline bool isAlive(Group& group, int rank) {
  int& descriptor = group.pidfds[rank];
  if (descriptor < 0) {
    const int32_t pid = group.shared->ranks[rank].pid.load();
    if (pid == 0) return true;  // not registered yet
    descriptor = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
    if (descriptor < 0) return errno != ESRCH;
  }
  pollfd ended = {descriptor, POLLIN, 0};
  return poll(&ended, 1, 0) == 0;
}

inline bool isStopped(int pid) {
  char path[64], text[512];
  std::snprintf(path, sizeof path, "/proc/%d/stat", pid);
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  const ssize_t length = read(file, text, sizeof text - 1);
  close(file);
  if (length <= 0) return false;
  text[length] = 0;
  const char* end = std::strrchr(text, ')');  // of the name, which may hold anything
  return end != nullptr && end[1] == ' ' && (end[2] == 'T' || end[2] == 't');
}

// Looks at the other ranks after a slice of waiting. Returns 0 while all is well.
inline int checkRanks(Group& group) {
  if (const int failure = group.shared->failure.load()) return failure;
  for (int rank = 0; rank < group.rankCount; rank++) {
    if (rank == group.rank) continue;
    if (!isAlive(group, rank)) return fail(group, died, rank);
    int& stoppedMs = group.stoppedMs[rank];
    stoppedMs = isStopped(group.shared->ranks[rank].pid.load()) ? stoppedMs + sliceMs : 0;
    if (stoppedMs >= stoppedLimitMs) return fail(group, late, rank);
  }
  return 0;
}

inline bool spin(const Counter& counter, uint32_t target) {
  const auto deadline = Clock::now() + spinTime;
  do {
    for (int i = 0; i < 64; i++) {
      if (hasReached(counter, target)) return true;
      pause();
    }
  } while (Clock::now() < deadline);
  return false;
}

// Sleeps until the counter moves, for `ms` at most. Returns false when the time is over.
inline bool sleepSlice(Counter& counter, uint32_t target, int ms) {
  counter.sleeperCount.fetch_add(1, std::memory_order_seq_cst);
  const uint32_t seen = counter.value.load(std::memory_order_seq_cst);
  bool isOver = false;
  if (static_cast<int32_t>(seen - target) < 0) {
    const timespec time = {ms / 1000, (ms % 1000) * 1'000'000L};
    isOver = syscall(SYS_futex, &counter.value, FUTEX_WAIT, seen, &time, nullptr, 0) != 0 && errno == ETIMEDOUT;
  }
  counter.sleeperCount.fetch_sub(1, std::memory_order_seq_cst);
  return !isOver;
}

// Waits until a counter of `rank` reaches `target`. Time is counted in slices, so that it stands still while this
// process itself is stopped. Returns 0, or the failure.
inline int waitFor(Group& group, Counter& counter, uint32_t target, int rank) {
  if (hasReached(counter, target) || (group.maySpin && spin(counter, target))) return 0;
  for (int waitedMs = 0; !hasReached(counter, target);) {
    if (sleepSlice(counter, target, sliceMs)) continue;
    if (hasReached(counter, target)) break;
    waitedMs += sliceMs;
    if (const int failure = checkRanks(group)) return failure;
    if (waitedMs >= group.patienceMs) return fail(group, late, rank);
  }
  return 0;
}

}  // namespace aloft
