// Mixtures of experts. Every block takes one token (and one of its experts) and some rows of the expert's matrix, a
// warp a row: a matrix is read for each token that chooses its expert, from the second on out of the L2 cache.
// HIDDEN and the width of an expert are multiples of 8. Experts in int4 are in int4-experts.cu.
#include "cuda/act.cuh"
#include "cuda/e4m3.cuh"
#include "cuda/launch.cuh"
#include "cuda/memory.cuh"
#include "cuda/swiglu.cuh"
#include "cuda/warp.cuh"
#include "experts/expert-args.cuh"

#define MAX_EXPERTS 256
#define MAX_EXPERTS_PER_TOKEN 16
#define LOWEST __int_as_float(0xff800000)  // minus infinity

struct RouteArgs {
  const float* logits;  // [tokens, experts]
  float* routes;        // [tokens, 2 * perToken]
  int experts, perToken, normalises;
};

// One block of a warp a token.
extern "C" __global__ void route_experts(const RouteArgs a) {
  allow_successor();
  wait_predecessor();
  constexpr int OWN = MAX_EXPERTS / 32;
  const int lane = threadIdx.x & 31;
  if (threadIdx.x >= 32) return;
  const float* logits = a.logits + (size_t)blockIdx.x * a.experts;
  float own[OWN], largest = LOWEST;
#pragma unroll
  for (int i = 0; i < OWN; i++) {
    own[i] = i * 32 + lane < a.experts ? logits[i * 32 + lane] : LOWEST;
    largest = fmaxf(largest, own[i]);
  }
  largest = warp_max(largest);
  float total = 0.f, kept = 0.f;
#pragma unroll
  for (int i = 0; i < OWN; i++) total += __expf(own[i] - largest);
  total = warp_sum(total);

  u32 chosen = 0;  // bit i: this lane's expert i * 32 + lane
  for (int slot = 0; slot < a.perToken; slot++) {
    float best = LOWEST;
    int expert = MAX_EXPERTS;
#pragma unroll
    for (int i = 0; i < OWN; i++)
      if (!(chosen >> i & 1) && i * 32 + lane < a.experts && (expert == MAX_EXPERTS || own[i] > best))
        best = own[i], expert = i * 32 + lane;
#pragma unroll
    for (int mask = 16; mask > 0; mask >>= 1) {
      const float other = __shfl_xor_sync(0xffffffffu, best, mask);
      const int otherExpert = __shfl_xor_sync(0xffffffffu, expert, mask);
      const bool isLarger = expert == MAX_EXPERTS || other > best || (other == best && otherExpert < expert);
      if (otherExpert < MAX_EXPERTS && isLarger) best = other, expert = otherExpert;
    }
    if ((expert & 31) == lane) chosen |= 1u << (expert / 32);
    kept += __expf(best - largest);
  }

  float* routes = a.routes + (size_t)blockIdx.x * 2 * a.perToken;
  int before = 0;  // chosen experts of lower numbers
#pragma unroll
  for (int i = 0; i < OWN; i++) {
    const u32 lanes = __ballot_sync(0xffffffffu, chosen >> i & 1);
    if (chosen >> i & 1) {
      const int slot = before + __popc(lanes & ((1u << lane) - 1));
      routes[slot] = (float)(i * 32 + lane);
      routes[a.perToken + slot] = __expf(own[i] - largest) / (a.normalises ? kept : total);
    }
    before += __popc(lanes);
  }
}

enum ExpertNumbers { EXPERT_ACTS, EXPERT_INT8, EXPERT_E4M3 };

// Eight weights from a row on, without their scale.
template <ExpertNumbers NUMBERS> __device__ __forceinline__ void load_weights(const void* weight, size_t at,
                                                                              float (&w)[8]) {
  if constexpr (NUMBERS == EXPERT_ACTS) {
    unpack8(load16((const u16*)weight + at), w);
    return;
  }
  const u32 words[2] = {load4((const u8*)weight + at), load4((const u8*)weight + at + 4)};
  if constexpr (NUMBERS == EXPERT_INT8) {
#pragma unroll
    for (int j = 0; j < 8; j++) w[j] = (float)(i8)(words[j / 4] >> (8 * (j % 4)));
  } else {
    Vec16 pairs;
    widen4(words[0], pairs.w[0], pairs.w[1]);
    widen4(words[1], pairs.w[2], pairs.w[3]);
    unpack8(pairs, w);
  }
}

// The warp's product of a vector with a row.
template <ExpertNumbers NUMBERS>
__device__ __forceinline__ float expert_dot(const ExpertArgs& a, const u16* x, size_t row) {
  float sum = 0.f;
  for (int i = (threadIdx.x & 31) * 8; i < a.in; i += 32 * 8) {
    float w[8], v[8];
    load_weights<NUMBERS>(a.weight, row * a.in + i, w);
    unpack8(load16(x + i), v);
#pragma unroll
    for (int j = 0; j < 8; j++) sum += w[j] * v[j];
  }
  sum = warp_sum(sum);
  return NUMBERS == EXPERT_ACTS ? sum : sum * a.scale[row];
}

// Grid: [columns / EXPERT_WARPS, tokens * perToken].
template <ExpertNumbers NUMBERS> __device__ __forceinline__ void gate_up(const ExpertArgs& a) {
  allow_successor();
  wait_predecessor();
  const int column = blockIdx.x * EXPERT_WARPS + (threadIdx.x >> 5);
  const int token = blockIdx.y / a.perToken, slot = blockIdx.y % a.perToken;
  if (column >= a.columns) return;
  const int expert = (int)a.routes[(size_t)token * 2 * a.perToken + slot];
  const u16* x = a.x + (size_t)token * a.in;
  const size_t row = (size_t)expert * 2 * a.columns + column;
  const float gate = expert_dot<NUMBERS>(a, x, row), up = expert_dot<NUMBERS>(a, x, row + a.columns);
  if ((threadIdx.x & 31) == 0) a.out[(size_t)blockIdx.y * a.columns + column] = float_to_act(swiglu(gate, up));
}

// Grid: [columns / EXPERT_WARPS, tokens].
template <ExpertNumbers NUMBERS> __device__ __forceinline__ void down(const ExpertArgs& a) {
  allow_successor();
  wait_predecessor();
  const int column = blockIdx.x * EXPERT_WARPS + (threadIdx.x >> 5), token = blockIdx.y;
  if (column >= a.columns) return;
  const float* routes = a.routes + (size_t)token * 2 * a.perToken;
  float sum = 0.f;
  for (int slot = 0; slot < a.perToken; slot++) {
    const size_t row = (size_t)(int)routes[slot] * a.columns + column;
    sum += routes[a.perToken + slot] * expert_dot<NUMBERS>(a, a.x + ((size_t)token * a.perToken + slot) * a.in, row);
  }
  if ((threadIdx.x & 31) == 0) a.out[(size_t)token * a.columns + column] = float_to_act(sum);
}

#define EXPERT_KERNEL(name, FUNCTION, NUMBERS)                                                  \
  extern "C" __global__ void __launch_bounds__(EXPERT_WARPS * 32) name(const ExpertArgs args) { \
    FUNCTION<NUMBERS>(args);                                                                    \
  }
EXPERT_KERNEL(expert_gate_up, gate_up, EXPERT_ACTS)
EXPERT_KERNEL(expert_gate_up_int8, gate_up, EXPERT_INT8)
EXPERT_KERNEL(expert_gate_up_fp8, gate_up, EXPERT_E4M3)
EXPERT_KERNEL(expert_down, down, EXPERT_ACTS)
EXPERT_KERNEL(expert_down_int8, down, EXPERT_INT8)
EXPERT_KERNEL(expert_down_fp8, down, EXPERT_E4M3)
