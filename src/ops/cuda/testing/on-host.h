// Runs CUDA kernels on a CPU, to find wrong addresses and missing waits where there is no GPU. Together with on-host-
// units.h it takes the place of the headers in src/ops/cuda that consist of instructions. Threads are coroutines,
// which change at every wait and every instruction of a warp. One block runs at a time, so there are no clusters.
#pragma once
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <random>
#include <ucontext.h>
#include <vector>

#define __device__
#define __forceinline__ inline
#define __global__ __attribute__((visibility("default")))
#define __launch_bounds__(...)
#define __cluster_dims__(...)
#define __grid_constant__
#define __shared__
#define __align__(bytes)

#include "cuda/types.cuh"

using std::max;
using std::min;
struct Index {
  int x, y;
};
Index threadIdx, blockIdx, blockDim, gridDim;

// ---- threads of a block ----

namespace host {

constexpr u32 MEMORY_BYTES = 256 << 10, STACK_BYTES = 64 << 10, MOST_TURNS = 4000000;
constexpr u8 UNWRITTEN = 0x7e;  // NaN in both types of activations
struct Thread {
  ucontext_t context;
  bool isDone;
};
std::vector<Thread> threads;
std::vector<u8> stacks;
ucontext_t scheduler;
std::function<void()> kernel;
std::vector<std::function<void()>> copies;
std::mt19937 random(1);
u32 sharedBytes;
const char* fault;

void pass() { swapcontext(&threads[threadIdx.x].context, &scheduler); }
// Ends the launch; it never returns.
void fail(const char* what) {
  fault = what;
  for (;;) pass();
}
void check(bool isGood, const char* what) {
  if (!isGood) fail(what);
}
void begin() {
  kernel();
  threads[threadIdx.x].isDone = true;
  pass();
}

// Completes one of the copies under way, now and then.
void complete_copy() {
  if (copies.empty() || random() % 2) return;
  const size_t at = random() % copies.size();
  const auto copy = copies[at];
  copies.erase(copies.begin() + at);
  copy();
}

void run_block() {
  for (Thread& thread : threads) {
    u8* stack = stacks.data() + (&thread - threads.data()) * STACK_BYTES;
    thread.isDone = false;
    getcontext(&thread.context);
    thread.context.uc_stack.ss_sp = stack;
    thread.context.uc_stack.ss_size = STACK_BYTES;
    makecontext(&thread.context, begin, 0);
  }
  size_t done = 0;
  for (u32 turn = 0; done < threads.size() && fault == nullptr; turn++) {
    done = 0;
    for (size_t i = 0; i < threads.size() && fault == nullptr; i++) {
      threadIdx.x = (int)i;
      if (!threads[i].isDone) swapcontext(&scheduler, &threads[i].context);
      done += threads[i].isDone;
    }
    complete_copy();
    if (turn == MOST_TURNS) fault = "threads wait for each other";
  }
  if (fault == nullptr && !copies.empty()) fault = "a block ended before its copies";
  copies.clear();
}

// What `count` threads do together: the last one that comes does it, given what each has at its place.
struct Meeting {
  int arrived = 0;
  u32 number = 0;
  void* given[32];
};
template <typename Action>
void meet(Meeting& meeting, int count, void* given, const Action& act) {
  const u32 number = meeting.number;
  meeting.given[threadIdx.x & 31] = given;
  if (++meeting.arrived < count) {
    while (meeting.number == number) pass();
    return;
  }
  act();
  meeting.arrived = 0;
  meeting.number++;
}
Meeting warps[64], block, named;
// act(lanes) has what each lane of the warp gave.
template <typename Given, typename Action>
void in_warp(Given& given, const Action& act) {
  Meeting& warp = warps[threadIdx.x >> 5];
  meet(warp, 32, &given, [&] { act([&](int lane) -> Given& { return *(Given*)warp.given[lane]; }); });
}

}  // namespace host

alignas(1024) u8 memory[host::MEMORY_BYTES];
// The same under the name that stream.cu has for it.
extern float partial[host::MEMORY_BYTES / 4] __attribute__((alias("memory")));

namespace host {

// Runs `kernel` block by block. Returns 0, or 1 with a text of at most 255 characters.
int launch(int columns, int rows, int blockThreads, u32 bytes, char* text) {
  fault = kernel == nullptr ? "no kernel of this name" : bytes > MEMORY_BYTES ? "too much shared memory" : nullptr;
  sharedBytes = bytes;
  gridDim = {columns, rows};
  blockDim.x = blockThreads;
  threads.resize(blockThreads);
  stacks.resize((size_t)blockThreads * STACK_BYTES);
  for (int i = 0; i < columns * rows && fault == nullptr; i++) {
    blockIdx = {i % columns, i / columns};
    memset(memory, UNWRITTEN, sizeof memory);
    for (Meeting& warp : warps) warp = {};
    block = named = {};
    run_block();
    const auto isWritten = [](u8 byte) { return byte != UNWRITTEN; };
    if (fault == nullptr && std::any_of(memory + bytes, memory + sizeof memory, isWritten))
      fault = "a store beside shared memory";
  }
  if (fault == nullptr) return 0;
  snprintf(text, 256, "%s", fault);
  return 1;
}

}  // namespace host

void __syncthreads() {
  host::meet(host::block, blockDim.x, nullptr, [] {});
}
template <int THREADS>
void sync_threads() {
  host::meet(host::named, THREADS, nullptr, [] {});
}
void __syncwarp() {
  int nothing = 0;
  host::in_warp(nothing, [](const auto&) {});
}
u32 __ballot_sync(u32, bool vote) {
  struct {
    bool vote;
    u32 result;
  } own{vote, 0};
  host::in_warp(own, [](const auto& lanes) {
    u32 all = 0;
    for (int i = 0; i < 32; i++) all |= (u32)lanes(i).vote << i;
    for (int i = 0; i < 32; i++) lanes(i).result = all;
  });
  return own.result;
}
template <typename T>
T __shfl_xor_sync(u32, T value, int mask) {
  T own[2] = {value, value};
  host::in_warp(own, [mask](const auto& lanes) {
    for (int i = 0; i < 32; i++) lanes(i)[1] = lanes(i ^ mask)[0];
  });
  return own[1];
}
int __popc(u32 bits) { return std::popcount(bits); }
float __expf(float value) { return expf(value); }
float __int_as_float(u32 bits) { return std::bit_cast<float>(bits); }
float __uint_as_float(u32 bits) { return std::bit_cast<float>(bits); }
u32 __float_as_uint(float value) { return std::bit_cast<u32>(value); }
float rsqrtf(float value) { return 1 / sqrtf(value); }
template <typename T>
T __ldg(const T* from) {
  return *from;
}

// ---- activations: every result is rounded once, to nearest even ----

#ifdef ACT_BF16
constexpr int ACT_BITS = 8, LOWEST_EXPONENT = -133;
u16 bits_of_act(double value) { return (u16)(std::bit_cast<u32>((float)value) >> 16); }
double act_of_bits(u16 bits) { return std::bit_cast<float>((u32)bits << 16); }
#else
constexpr int ACT_BITS = 11, LOWEST_EXPONENT = -24;
u16 bits_of_act(double value) { return std::bit_cast<u16>((_Float16)value); }
double act_of_bits(u16 bits) { return std::bit_cast<_Float16>(bits); }
#endif
u16 float_to_act(double value) {
  if (!std::isfinite(value)) return bits_of_act(value);
  int exponent;
  frexp(value, &exponent);
  const int unit = max(exponent - ACT_BITS, LOWEST_EXPONENT);
  return bits_of_act(ldexp(nearbyint(ldexp(value, -unit)), unit));
}
float act_to_float(u16 bits) { return (float)act_of_bits(bits); }
float act_low(u32 pair) { return act_to_float((u16)pair); }
float act_high(u32 pair) { return act_to_float((u16)(pair >> 16)); }
float round_act(float value) { return act_to_float(float_to_act(value)); }
u32 pack_act(double low, double high) { return float_to_act(low) | (u32)float_to_act(high) << 16; }
float half_bits_to_float(u16 bits) { return std::bit_cast<_Float16>(bits); }
u32 twice(u32 bits) { return bits * 0x10001u; }
u32 kept(u32 value) { return value; }
float kept(float value) { return value; }
u32 masked_with(u32 word, u32 mask, u32 bits) { return (word & mask) | bits; }
u32 multiply_add_pairs(u32 a, u32 b, u32 c) {
  return pack_act((double)act_low(a) * act_low(b) + act_low(c), (double)act_high(a) * act_high(b) + act_high(c));
}
u32 multiply_pairs(u32 a, u32 b) { return multiply_add_pairs(a, b, 0); }
u32 add_pairs(u32 a, u32 b) { return pack_act(act_low(a) + act_low(b), act_high(a) + act_high(b)); }
void unpack8(const Vec16& v, float (&out)[8]) {
  for (int i = 0; i < 8; i++) out[i] = act_to_float((u16)(v.w[i / 2] >> i % 2 * 16));
}
void dequantise4(u32 bytes, u32& low, u32& high) {
  const auto value = [&](int i) { return (int)(bytes >> i * 8 & 255) - 128; };
  low = pack_act(value(0), value(1));
  high = pack_act(value(2), value(3));
}

// ---- FP8 E4M3 ----

double e4m3_value(u8 code) {
  const int exponent = code >> 3 & 15, fraction = code & 7;
  const double magnitude = exponent == 0 ? ldexp(fraction, -9) : ldexp(8 + fraction, exponent - 10);
  return code & 0x80 ? -magnitude : magnitude;
}
// The nearest of all numbers, the even one of two.
u8 e4m3_code(double value) {
  u8 nearest = 0;
  for (u8 code = 1; code < 0x7f; code++) {
    const double more = fabs(e4m3_value(nearest) - fabs(value)) - fabs(e4m3_value(code) - fabs(value));
    if (more > 0 || (more == 0 && code % 2 == 0)) nearest = code;
  }
  return nearest | (value < 0 ? 0x80 : 0);
}
void widen4(u32 bytes, u32& low, u32& high) {
  const auto value = [&](int i) { return e4m3_value((u8)(bytes >> i * 8)); };
  low = pack_act(value(0), value(1));
  high = pack_act(value(2), value(3));
}
u32 pack_e4m3(float low, float high) { return e4m3_code(low) | (u32)e4m3_code(high) << 8; }

// ---- arithmetic ----

u32 __vmaxu2(u32 a, u32 b) { return max(a & 0xffff, b & 0xffff) | max(a >> 16, b >> 16) << 16; }
int __float2int_rn(float value) { return (int)nearbyintf(value); }
float __fmul_rn(float a, float b) { return a * b; }
float __fdiv_rn(float a, float b) { return a / b; }

// ---- memory ----

u32 shared_address(const void* p) { return (u32)((const u8*)p - memory); }
template <typename T>
T load_shared(u32 address) {
  host::check(address % sizeof(T) == 0 && address + sizeof(T) <= host::sharedBytes, "a load of shared memory");
  T value;
  memcpy(&value, memory + address, sizeof value);
  return value;
}
Vec16 load_shared16(u32 address) { return load_shared<Vec16>(address); }
void load_shared8(u32 address, u32 (&words)[2]) {
  const u64 both = load_shared<u64>(address);
  memcpy(words, &both, 8);
}
u16 load_shared2(u32 address) { return load_shared<u16>(address); }
u32 load_shared1(u32 address) { return load_shared<u8>(address); }
Vec16 load16(const void* from) { return *(const Vec16*)from; }
Vec16 load_stream(const void* from) { return load16(from); }
void load_stream8(const void* from, u32 (&words)[2]) { memcpy(words, from, 8); }
u32 load4(const void* from) { return *(const u32*)from; }
void store16(void* to, const Vec16& v) { *(Vec16*)to = v; }
