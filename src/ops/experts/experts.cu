// Mixtures of experts. Every block takes one token (and one of its experts) and some rows of the expert's matrix, a
// warp a row: a matrix is read for each token that chooses its expert, from the second on out of the L2 cache.
// HIDDEN and the width of an expert are multiples of 8.
#include "cuda/act.cuh"
#include "cuda/launch.cuh"
#include "cuda/memory.cuh"
#include "cuda/swiglu.cuh"
#include "cuda/warp.cuh"

#define EXPERT_WARPS 8
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

struct ExpertArgs {
  const u16* x;         // [tokens, in]; for expert_down [tokens, perToken * in]
  const float* routes;  // [tokens, 2 * perToken]
  const void* weight;   // [experts * rows, in], activations or int8
  const float* scale;   // [experts * rows] of int8
  u16* out;             // [tokens, perToken * columns]; for expert_down [tokens, columns]
  int in, columns, perToken;
};

// Eight weights from a row on, without their scale.
template <bool INT8> __device__ __forceinline__ void load_weights(const void* weight, size_t at, float (&w)[8]) {
  if constexpr (INT8) {
    const u32 words[2] = {load4((const i8*)weight + at), load4((const i8*)weight + at + 4)};
#pragma unroll
    for (int j = 0; j < 8; j++) w[j] = (float)(i8)(words[j / 4] >> (8 * (j % 4)));
  } else {
    unpack8(load16((const u16*)weight + at), w);
  }
}

// The warp's product of a vector with a row.
template <bool INT8>
__device__ __forceinline__ float expert_dot(const ExpertArgs& a, const u16* x, size_t row) {
  float sum = 0.f;
  for (int i = (threadIdx.x & 31) * 8; i < a.in; i += 32 * 8) {
    float w[8], v[8];
    load_weights<INT8>(a.weight, row * a.in + i, w);
    unpack8(load16(x + i), v);
#pragma unroll
    for (int j = 0; j < 8; j++) sum += w[j] * v[j];
  }
  sum = warp_sum(sum);
  return INT8 ? sum * a.scale[row] : sum;
}

// Grid: [columns / EXPERT_WARPS, tokens * perToken].
template <bool INT8> __device__ __forceinline__ void gate_up(const ExpertArgs& a) {
  allow_successor();
  wait_predecessor();
  const int column = blockIdx.x * EXPERT_WARPS + (threadIdx.x >> 5);
  const int token = blockIdx.y / a.perToken, slot = blockIdx.y % a.perToken;
  if (column >= a.columns) return;
  const int expert = (int)a.routes[(size_t)token * 2 * a.perToken + slot];
  const u16* x = a.x + (size_t)token * a.in;
  const size_t row = (size_t)expert * 2 * a.columns + column;
  const float gate = expert_dot<INT8>(a, x, row), up = expert_dot<INT8>(a, x, row + a.columns);
  if ((threadIdx.x & 31) == 0) a.out[(size_t)blockIdx.y * a.columns + column] = float_to_act(swiglu(gate, up));
}

// Grid: [columns / EXPERT_WARPS, tokens].
template <bool INT8> __device__ __forceinline__ void down(const ExpertArgs& a) {
  allow_successor();
  wait_predecessor();
  const int column = blockIdx.x * EXPERT_WARPS + (threadIdx.x >> 5), token = blockIdx.y;
  if (column >= a.columns) return;
  const float* routes = a.routes + (size_t)token * 2 * a.perToken;
  float sum = 0.f;
  for (int slot = 0; slot < a.perToken; slot++) {
    const size_t row = (size_t)(int)routes[slot] * a.columns + column;
    sum += routes[a.perToken + slot] * expert_dot<INT8>(a, a.x + ((size_t)token * a.perToken + slot) * a.in, row);
  }
  if ((threadIdx.x & 31) == 0) a.out[(size_t)token * a.columns + column] = float_to_act(sum);
}

extern "C" __global__ void __launch_bounds__(EXPERT_WARPS * 32) expert_gate_up(const ExpertArgs a) {
  gate_up<false>(a);
}
extern "C" __global__ void __launch_bounds__(EXPERT_WARPS * 32) expert_gate_up_int8(const ExpertArgs a) {
  gate_up<true>(a);
}
extern "C" __global__ void __launch_bounds__(EXPERT_WARPS * 32) expert_down(const ExpertArgs a) { down<false>(a); }
extern "C" __global__ void __launch_bounds__(EXPERT_WARPS * 32) expert_down_int8(const ExpertArgs a) { down<true>(a); }
