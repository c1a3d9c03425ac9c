// Activations of f16.
#pragma once
#include "cuda/types.cuh"

inline float act_to_float(u16 bits) {
  _Float16 half;
  std::memcpy(&half, &bits, sizeof half);
  return static_cast<float>(half);
}
inline u16 float_to_act(float value) {
  const _Float16 half = static_cast<_Float16>(value);
  u16 bits;
  std::memcpy(&bits, &half, sizeof bits);
  return bits;
}
inline float round_act(float value) { return act_to_float(float_to_act(value)); }
inline void unpack8(const Vec16& v, float (&out)[8]) {
  for (int i = 0; i < 8; i++) out[i] = act_to_float(static_cast<u16>(v.w[i / 2] >> (16 * (i % 2))));
}
inline Vec16 pack8(const float (&in)[8]) {
  Vec16 v = zero16();
  for (int i = 0; i < 8; i++) v.w[i / 2] |= static_cast<u32>(float_to_act(in[i])) << (16 * (i % 2));
  return v;
}
