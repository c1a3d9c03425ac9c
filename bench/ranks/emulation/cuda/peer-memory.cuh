// Memory of other ranks. Threads yield before they look again, since there are more of them than processors.
#pragma once
#include "cuda/memory.cuh"

inline Vec16 load_from_peer(const Vec16* p) { return load16(p); }
inline void store_to_peer(Vec16* p, const Vec16& v) {
  std::this_thread::yield();
  store16(p, v);
}
inline u32 load_signal(const u32* p) {
  std::this_thread::yield();
  return load_word(p);
}
inline void store_signal(u32* p, u32 word) { store_word(p, word); }
inline u64 clock_ns() { return static_cast<u64>(std::chrono::steady_clock::now().time_since_epoch().count()); }
inline void pause_ns(u32) { std::this_thread::yield(); }
