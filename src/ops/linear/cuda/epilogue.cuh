// Epilogues: how a linear kernel turns its sums into results.
#pragma once
#include "cuda/act.cuh"
#include "cuda/swiglu.cuh"

// Stores them as activations, or as f32, or makes one activation of gate and up, or adds them to the residual and
// stores what is to be normed (ring-norms.cuh).
enum Epilogue { STORE, STORE_F32, SWIGLU, ADD };

// The activation that gate and up make, both rounded to activations as if they had been stored.
__device__ __forceinline__ float swiglu_of_sums(float gate, float up) { return swiglu(round_act(gate), round_act(up)); }

// Stores the result of a token and a row: sums[0] is its sum or that of gate, sums[1] that of up.
template <Epilogue EPILOGUE>
__device__ __forceinline__ void store_sums(void* out, size_t at, const float (&sums)[2]) {
  if (EPILOGUE == STORE) ((u16*)out)[at] = float_to_act(sums[0]);
  if (EPILOGUE == STORE_F32) ((float*)out)[at] = sums[0];
  if (EPILOGUE == SWIGLU) ((u16*)out)[at] = float_to_act(swiglu_of_sums(sums[0], sums[1]));
}

// A channel's part in its results: a scale, if weights have scales, and a bias, if there is one.
struct Channel {
  float scale, bias;
};
template <bool IS_SCALED>
__device__ __forceinline__ Channel load_channel(int channel, const float* scale, const u16* bias) {
  return {IS_SCALED ? __ldg(scale + channel) : 1.f, bias ? act_to_float(__ldg(bias + channel)) : 0.f};
}
template <bool IS_SCALED>
__device__ __forceinline__ float finish_sum(float sum, const Channel& channel, bool hasBias) {
  if (IS_SCALED) sum *= channel.scale;
  if (hasBias) sum += channel.bias;
  return sum;
}
