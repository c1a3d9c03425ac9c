// Loads and stores, word by word: those of other ranks see any mixture of old and new words.
#pragma once
#include "cuda/types.cuh"

inline u32 load_word(const void* p) {
  return std::atomic_ref<u32>(*static_cast<u32*>(const_cast<void*>(p))).load(std::memory_order_relaxed);
}
inline void store_word(void* p, u32 word) {
  std::atomic_ref<u32>(*static_cast<u32*>(p)).store(word, std::memory_order_relaxed);
}
inline Vec16 load16(const void* p) {
  Vec16 v;
  for (int i = 0; i < 4; i++) v.w[i] = load_word(static_cast<const u32*>(p) + i);
  return v;
}
inline void store16(void* p, const Vec16& v) {
  for (int i = 0; i < 4; i++) store_word(static_cast<u32*>(p) + i, v.w[i]);
}
