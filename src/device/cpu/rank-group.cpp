// Ranks of one host: the exchanges over buffers in memory that their processes share, and commands with their echoes.
#include "device/cpu/rank-wait.h"
#include "ops/cpu/api.h"
#include <algorithm>
#include <thread>

namespace aloft {
namespace {

// Kind and size of an exchange; both sides must mean the same.
enum Exchange { sum = 1, gather = 2 };

// Shows `count` numbers to all ranks and waits for theirs, which lie in their buffers of this round until the call
// after the next. One wait a round is enough: a rank that writes a buffer again has seen every rank arrive in the
// round between.
int exchangePiece(Group& group, const float* values, int64_t count, Exchange kind) {
  group.round++;
  RankState& own = group.shared->ranks[group.rank];
  std::memcpy(bufferOf(group, group.rank, group.round), values, count * sizeof(float));
  const int64_t exchange = count * 4 + kind;
  own.exchange[group.round & 1].store(exchange, std::memory_order_relaxed);
  advance(own.arrived, group.round);
  for (int rank = 0; rank < group.rankCount; rank++) {
    RankState& other = group.shared->ranks[rank];
    if (const int failure = waitFor(group, other.arrived, group.round, rank)) return failure;
    if (other.exchange[group.round & 1].load(std::memory_order_relaxed) != exchange)
      return fail(group, diverged, rank == 0 ? group.rank : rank);
  }
  return 0;
}

// Adds up the buffers of this round in the order of ranks, in tiles that stay in the nearest cache.
void sumBuffers(const Group& group, float* out, int64_t count) {
  constexpr int64_t tile = 2048;
  for (int64_t begin = 0; begin < count; begin += tile) {
    const int64_t length = std::min(tile, count - begin);
    std::memcpy(out + begin, bufferOf(group, 0, group.round) + begin, length * sizeof(float));
    for (int rank = 1; rank < group.rankCount; rank++) {
      const float* part = bufferOf(group, rank, group.round) + begin;
      for (int64_t i = 0; i < length; i++) out[begin + i] += part[i];
    }
  }
}

// Numbers [begin, end) of a rank's matrix of `columns` columns go to its columns of `out`, which may lack the last
// ones.
void placePart(const float* part, int rank, int64_t begin, int64_t end, int64_t columns, float* out,
               int64_t outColumns) {
  for (int64_t at = begin; at < end;) {
    const int64_t row = at / columns, column = at % columns;
    const int64_t length = std::min(columns - column, end - at);
    const int64_t target = rank * columns + column;
    const int64_t kept = std::min(length, outColumns - target);
    if (kept > 0) std::memcpy(out + row * outColumns + target, part + (at - begin), kept * sizeof(float));
    at += length;
  }
}

}  // namespace
}  // namespace aloft

using namespace aloft;

// Bytes of shared memory of so many ranks, with two buffers of `pieceCount` numbers each.
ALOFT_API int64_t aloft_ranks_bytes(int rankCount, int64_t pieceCount) {
  return static_cast<int64_t>(sizeof(Shared)) + rankCount * 2 * pieceCount * static_cast<int64_t>(sizeof(float));
}

// Joins the group in the shared memory at `address`. Returns a handle.
ALOFT_API uint64_t aloft_ranks_join(uint64_t address, int rank, int rankCount, int64_t pieceCount, int patienceMs) {
  auto* group = new Group{};
  group->shared = pointer<Shared>(address);
  group->buffers = pointer<float>(address + sizeof(Shared));
  group->pieceCount = pieceCount;
  group->rank = rank;
  group->rankCount = rankCount;
  group->patienceMs = patienceMs;
  group->maySpin = static_cast<int>(std::thread::hardware_concurrency()) >= rankCount;
  std::fill(std::begin(group->pidfds), std::end(group->pidfds), -1);
  return reinterpret_cast<uintptr_t>(group);
}

ALOFT_API void aloft_ranks_leave(uint64_t handle) {
  auto* group = pointer<Group>(handle);
  for (const int descriptor : group->pidfds)
    if (descriptor >= 0) close(descriptor);
  delete group;
}

// Says which process a rank is, so that the others notice its end.
ALOFT_API void aloft_ranks_register(uint64_t handle, int rank, int pid) {
  pointer<Group>(handle)->shared->ranks[rank].pid.store(pid);
}

// Makes all waits of all ranks end. Returns the failure that counts: the first one.
ALOFT_API int aloft_ranks_fail(uint64_t handle, int fault, int rank) {
  return fail(*pointer<Group>(handle), static_cast<Fault>(fault), rank);
}

// Exchanges that the rank has made: equal on all ranks between two steps.
ALOFT_API uint32_t aloft_ranks_round(uint64_t handle) { return pointer<Group>(handle)->round; }

// x [count] f32 becomes the sum over ranks. Returns 0, or the failure.
ALOFT_API int aloft_ranks_all_reduce(uint64_t handle, uint64_t x, int64_t count) {
  Group& group = *pointer<Group>(handle);
  float* values = pointer<float>(x);
  for (int64_t begin = 0; begin < count; begin += group.pieceCount) {
    const int64_t length = std::min(group.pieceCount, count - begin);
    if (const int failure = exchangePiece(group, values + begin, length, sum)) return failure;
    sumBuffers(group, values + begin, length);
  }
  return 0;
}

// x [rows, columns] f32 of all ranks side by side: out [rows, outColumns] f32. Returns 0, or the failure.
ALOFT_API int aloft_ranks_all_gather(uint64_t handle, uint64_t x, uint64_t out, int64_t rows, int64_t columns,
                                     int64_t outColumns) {
  Group& group = *pointer<Group>(handle);
  const float* values = pointer<const float>(x);
  const int64_t count = rows * columns;
  for (int64_t begin = 0; begin < count; begin += group.pieceCount) {
    const int64_t end = std::min(begin + group.pieceCount, count);
    if (const int failure = exchangePiece(group, values + begin, end - begin, gather)) return failure;
    for (int rank = 0; rank < group.rankCount; rank++)
      placePart(bufferOf(group, rank, group.round), rank, begin, end, columns, pointer<float>(out), outColumns);
  }
  return 0;
}

// Rank 0: message `number` is written.
ALOFT_API void aloft_ranks_command(uint64_t handle, uint32_t number) {
  advance(pointer<Group>(handle)->shared->commanded, number);
}

// Other ranks: waits for message `number` for a slice of time at most. Returns 0 when it has come, -1 when it has not,
// or the failure.
ALOFT_API int aloft_ranks_await_command(uint64_t handle, uint32_t number) {
  Group& group = *pointer<Group>(handle);
  Counter& commanded = group.shared->commanded;
  if (group.maySpin && spin(commanded, number)) return 0;
  while (!hasReached(commanded, number)) {
    if (sleepSlice(commanded, number, sliceMs)) continue;
    if (const int failure = group.shared->failure.load()) return failure;
    if (!isAlive(group, 0)) return fail(group, died, 0);
    return hasReached(commanded, number) ? 0 : -1;
  }
  return 0;
}

// Other ranks: message `number` is read and done.
ALOFT_API void aloft_ranks_echo(uint64_t handle, uint32_t number) {
  Group& group = *pointer<Group>(handle);
  advance(group.shared->ranks[group.rank].echoed, number);
}

// Rank 0: waits until all others have done message `number`. Returns 0, or the failure.
ALOFT_API int aloft_ranks_await_echo(uint64_t handle, uint32_t number) {
  Group& group = *pointer<Group>(handle);
  if (const int failure = group.shared->failure.load()) return failure;
  for (int rank = 1; rank < group.rankCount; rank++)
    if (const int failure = waitFor(group, group.shared->ranks[rank].echoed, number, rank)) return failure;
  return 0;
}
