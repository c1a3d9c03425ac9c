// Exchanges between the ranks of one host. Every rank has a region of memory into which all others store, and waits
// for what they store: the data are their own signal. A slot that nobody has written holds the sentinel, which is
// -0.0 and is compared by its bits; data are cleaned of it before they are stored.
//
// A region has three buffers, used in turn. A round uses one, and makes the one of the round before empty again. That
// is early enough: a rank stores into a buffer again three rounds later, and by then has seen data of this rank that
// it sent after it had emptied it. What differs from round to round lies in device memory, so that a captured graph
// can be launched again and again.
//
// No wait is endless. A wait that lasts longer than the deadline, or that the host ends, leaves a number for the
// host, and all later waits end at once; what the kernels then compute is thrown away.
//
// RANKS is the number of ranks.
#pragma once
#include "cuda/act.cuh"
#include "cuda/launch.cuh"
#include "cuda/memory.cuh"
#include "cuda/peer-memory.cuh"

#define BUFFERS 3
// Looks at a slot between two looks at the clock and at the host's memory, which is slow to reach.
#define POLLS_BETWEEN_LOOKS 2048
// Polls of a slot without a pause; from then on pauses grow, to 1 us. A grid that polls on and on keeps its memory so
// busy that stores from other ranks take 1 ms instead of 1 us. The rank that polls is then late for the next round,
// where the others wait for it and poll in turn: one late kernel cost 73 ms over a step of 32 layers
// (bench/cuda/late-rank.cu).
#define EAGER_POLLS 4
#define PAUSE_NS 100u
#define LONGEST_PAUSE_NS 1000u

// Words of 64 bits that describe a region to kernels; `src/ops/exchange/region.ts` writes them in this order.
enum RegionWord { REGION_RANK, REGION_STATE, REGION_SIGNALS, REGION_SLOT_VECTORS, REGION_DEADLINE_NS, REGION_PEERS };
// Words of 32 bits in the host's memory: the host ends all waits; 1 + the rank that was waited for in vain.
enum SignalWord { SIGNAL_STOP, SIGNAL_LATE };

// State of a region, in device memory, zero at first. It changes at the end of a round.
struct RegionState {
  u32 buffer;         // in use
  u32 filledVectors;  // of each slot in the round before
  u32 arrivals;       // blocks that have ended the round
  u32 isOver;         // whether a wait was given up
};

struct Region {
  int rank;
  RegionState* state;
  u32* signals;
  u64 slotVectors;
  u64 deadlineNs;
  Vec16* bases[RANKS];
  u32 buffer;
  u32 filledVectors;
};

// Forms in which data are stored: two values of 16 bits or one of 32 in a word.
struct Halves {
  static constexpr u32 SENTINEL = 0x80008000u;
  static __device__ __forceinline__ u32 cleaned(u32 word) {
    word = (word & 0xffffu) == 0x8000u ? word & 0xffff0000u : word;
    return word >> 16 == 0x8000u ? word & 0xffffu : word;
  }
  static __device__ __forceinline__ bool is_empty(u32 word) {
    return (word & 0xffffu) == 0x8000u || word >> 16 == 0x8000u;
  }
};
struct Words {
  static constexpr u32 SENTINEL = 0x80000000u;
  static __device__ __forceinline__ u32 cleaned(u32 word) { return word == SENTINEL ? 0u : word; }
  static __device__ __forceinline__ bool is_empty(u32 word) { return word == SENTINEL; }
};

template <typename Form> __device__ __forceinline__ Vec16 cleaned(const Vec16& v) {
  return Vec16{{Form::cleaned(v.w[0]), Form::cleaned(v.w[1]), Form::cleaned(v.w[2]), Form::cleaned(v.w[3])}};
}
// Words may arrive one by one.
template <typename Form> __device__ __forceinline__ bool is_whole(const Vec16& v) {
  return !(Form::is_empty(v.w[0]) || Form::is_empty(v.w[1]) || Form::is_empty(v.w[2]) || Form::is_empty(v.w[3]));
}

// Reads what no kernel changes; may stand before the wait for the predecessor.
__device__ __forceinline__ Region region_at(const u64* words) {
  Region region;
  region.rank = (int)__ldg(words + REGION_RANK);
  region.state = (RegionState*)__ldg(words + REGION_STATE);
  region.signals = (u32*)__ldg(words + REGION_SIGNALS);
  region.slotVectors = __ldg(words + REGION_SLOT_VECTORS);
  region.deadlineNs = __ldg(words + REGION_DEADLINE_NS);
#pragma unroll
  for (int rank = 0; rank < RANKS; rank++) region.bases[rank] = (Vec16*)__ldg(words + REGION_PEERS + rank);
  return region;
}

// Stands after the wait for the predecessor.
__device__ __forceinline__ void begin_round(Region& region) {
  region.buffer = load_signal(&region.state->buffer);
  region.filledVectors = load_signal(&region.state->filledVectors);
}

// A slot of the buffer in use, in the region at `base`. A buffer has SLOTS of them.
template <int SLOTS> __device__ __forceinline__ Vec16* slot_in(const Region& region, Vec16* base, int slot) {
  return base + ((size_t)region.buffer * SLOTS + slot) * region.slotVectors;
}
// The region of this rank.
__device__ __forceinline__ Vec16* own_base(const Region& region) {
  Vec16* base = region.bases[0];
#pragma unroll
  for (int rank = 1; rank < RANKS; rank++) base = rank == region.rank ? region.bases[rank] : base;
  return base;
}

// Stores a vector into a slot of all other ranks.
template <int SLOTS>
__device__ __forceinline__ void push_to_all(const Region& region, int slot, size_t index, const Vec16& v) {
#pragma unroll
  for (int peer = 0; peer < RANKS; peer++)
    if (peer != region.rank) store_to_peer(slot_in<SLOTS>(region, region.bases[peer], slot) + index, v);
}

// Makes what this rank was sent in the round before empty again.
template <typename Form, int SLOTS> __device__ __forceinline__ void clear_round_before(const Region& region) {
  const u32 filled = region.filledVectors;
  const u32 last = (region.buffer + BUFFERS - 1) % BUFFERS;
  Vec16* slots = own_base(region) + (size_t)last * SLOTS * region.slotVectors;
  const Vec16 empty = {{Form::SENTINEL, Form::SENTINEL, Form::SENTINEL, Form::SENTINEL}};
  for (u32 i = blockIdx.x * blockDim.x + threadIdx.x; i < filled * SLOTS; i += gridDim.x * blockDim.x)
    store16(slots + (size_t)(i / filled) * region.slotVectors + i % filled, empty);
}

// Looks whether to wait for `peer` any longer. Returns the time at which the wait began, or 0 when it is over.
__device__ __noinline__ u64 look(RegionState* state, u32* signals, u64 deadlineNs, int peer, u64 beginNs) {
  if (load_signal(&state->isOver) != 0) return 0;
  const u64 nowNs = clock_ns();
  if (beginNs == 0) beginNs = nowNs;
  const bool isStopped = (load_signal(signals + SIGNAL_STOP) | load_signal(signals + SIGNAL_LATE)) != 0;
  if (!isStopped && nowNs - beginNs <= deadlineNs) return beginNs;
  if (!isStopped) store_signal(signals + SIGNAL_LATE, 1u + peer);
  store_signal(&state->isOver, 1u);
  return 0;
}

// Waits until a vector of a slot is there. `v` is what was seen of it at first.
template <typename Form>
__device__ __forceinline__ Vec16 await_vector(const Region& region, const Vec16* at, int peer, Vec16 v) {
  u64 beginNs = 0;
  for (u32 polls = 1; !is_whole<Form>(v); polls++) {
    if (polls % POLLS_BETWEEN_LOOKS == 0) {
      beginNs = look(region.state, region.signals, region.deadlineNs, peer, beginNs);
      if (beginNs == 0) return zero16();
    }
    if (polls > EAGER_POLLS) pause_ns(min((polls - EAGER_POLLS) * PAUSE_NS, LONGEST_PAUSE_NS));
    v = load_from_peer(at);
  }
  return v;
}

// Sum over ranks of 8 values, in the order of ranks in f32: the same bits on every rank. `slots` of this rank's region
// hold those of the others.
template <int SLOTS>
__device__ __forceinline__ Vec16 sum_over_ranks(const Region& region, size_t index, const Vec16& own) {
  Vec16* base = own_base(region);
  Vec16 parts[RANKS];
#pragma unroll
  for (int peer = 0; peer < RANKS; peer++)
    parts[peer] = peer == region.rank ? own : load_from_peer(slot_in<SLOTS>(region, base, peer) + index);
  float sums[8];
#pragma unroll
  for (int peer = 0; peer < RANKS; peer++) {
    const Vec16* at = slot_in<SLOTS>(region, base, peer) + index;
    const Vec16 part = peer == region.rank ? own : await_vector<Halves>(region, at, peer, parts[peer]);
    float values[8];
    unpack8(part, values);
#pragma unroll
    for (int i = 0; i < 8; i++) sums[i] = peer == 0 ? values[i] : sums[i] + values[i];
  }
  return cleaned<Halves>(pack8(sums));
}

// Ends the round of the whole grid, which has one dimension. Each slot was filled with as many vectors at most.
__device__ __forceinline__ void end_round(const Region& region, u32 filledVectors) {
  __syncthreads();
  if (threadIdx.x != 0) return;
  __threadfence();
  if (atomicAdd(&region.state->arrivals, 1u) != gridDim.x - 1) return;
  region.state->arrivals = 0;
  region.state->filledVectors = filledVectors;
  region.state->buffer = (region.buffer + 1) % BUFFERS;
}
