// Ranks of several hosts: each host has the shared memory of the group whole, and a process that is no rank copies
// what ranks of other hosts show into it. To a rank, those look like ranks of its own host.
#include "device/cpu/rank-wait.h"
#include "ops/cpu/api.h"

using namespace aloft;

// Rounds in which a rank has shown its numbers.
ALOFT_API uint32_t aloft_mirror_arrived(uint64_t handle, int rank) {
  return pointer<Group>(handle)->shared->ranks[rank].arrived.value.load();
}

// Last message that a rank has done.
ALOFT_API uint32_t aloft_mirror_echoed(uint64_t handle, int rank) {
  return pointer<Group>(handle)->shared->ranks[rank].echoed.value.load();
}

// Last message of rank 0.
ALOFT_API uint32_t aloft_mirror_commanded(uint64_t handle) {
  return pointer<Group>(handle)->shared->commanded.value.load();
}

// The group's failure, or 0.
ALOFT_API int aloft_mirror_failure(uint64_t handle) { return pointer<Group>(handle)->shared->failure.load(); }

// Looks whether all ranks of this host live; to be called every slice. Returns the group's failure, or 0.
ALOFT_API int aloft_mirror_check(uint64_t handle) { return checkRanks(*pointer<Group>(handle)); }

// Kind and count of a rank's exchange, as `RankState` has them.
ALOFT_API int64_t aloft_mirror_exchange(uint64_t handle, int rank, uint32_t round) {
  return pointer<Group>(handle)->shared->ranks[rank].exchange[round & 1].load();
}

// Copies the numbers that a rank shows in a round.
ALOFT_API void aloft_mirror_read(uint64_t handle, int rank, uint32_t round, uint64_t to, int64_t byteCount) {
  std::memcpy(pointer<char>(to), bufferOf(*pointer<Group>(handle), rank, round), byteCount);
}

// A rank of another host has shown these numbers in a round.
ALOFT_API void aloft_mirror_arrive(uint64_t handle, int rank, uint32_t round, int64_t exchange, uint64_t from,
                                   int64_t byteCount) {
  Group& group = *pointer<Group>(handle);
  RankState& state = group.shared->ranks[rank];
  std::memcpy(bufferOf(group, rank, round), pointer<const char>(from), byteCount);
  state.exchange[round & 1].store(exchange, std::memory_order_relaxed);
  advance(state.arrived, round);
}

// A rank of another host has done message `number`.
ALOFT_API void aloft_mirror_echo(uint64_t handle, int rank, uint32_t number) {
  advance(pointer<Group>(handle)->shared->ranks[rank].echoed, number);
}
