// weights.cuh without a GPU: a program that reads one int4 tile and writes the operands that each lane of a warp makes
// of it, as a [16, 128] matrix of f64, first with the scales beside them (ring.cu), then with the scales in them
// (wide.cu), then from global memory (stream.cu), then as the dense matrix (dequantise-int4.cu).
//
//   g++ -x c++ -I <empty files by the names of the headers below> -I src/ops [-DACT_BF16] int4-on-host.h
//   a.out INT4_G128 < tile > matrices
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#define __device__
#define __forceinline__ inline

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
struct Vec16 {
  u32 w[4];
};
struct {
  int x;
} threadIdx;

// ---- cuda/act.cuh and cuda/pairs.cuh: every result is rounded once, to nearest even ----

#ifdef ACT_BF16
constexpr int ACT_BITS = 8, LOWEST_EXPONENT = -133;
u16 bits_of_act(double value) {
  const float narrow = (float)value;
  u32 bits;
  memcpy(&bits, &narrow, 4);
  return (u16)(bits >> 16);
}
double act_of_bits(u32 bits) {
  bits <<= 16;
  float value;
  memcpy(&value, &bits, 4);
  return value;
}
#else
constexpr int ACT_BITS = 11, LOWEST_EXPONENT = -24;
u16 bits_of_act(double value) {
  const _Float16 narrow = (_Float16)value;
  u16 bits;
  memcpy(&bits, &narrow, 2);
  return bits;
}
double act_of_bits(u32 bits) {
  const u16 half = (u16)bits;
  _Float16 value;
  memcpy(&value, &half, 2);
  return value;
}
#endif

u16 round_to_act(double value) {
  int exponent;
  frexp(value, &exponent);
  const int unit = std::max(exponent - ACT_BITS, LOWEST_EXPONENT);
  return bits_of_act(ldexp(nearbyint(ldexp(value, -unit)), unit));
}
u32 pack_act(double low, double high) { return round_to_act(low) | (u32)round_to_act(high) << 16; }
double act_low(u32 pair) { return act_of_bits(pair & 0xffff); }
double act_high(u32 pair) { return act_of_bits(pair >> 16); }
float half_bits_to_float(u16 bits) {
  _Float16 value;
  memcpy(&value, &bits, 2);
  return value;
}

u32 twice(u32 bits) { return bits * 0x10001u; }
u32 multiply_add_pairs(u32 a, u32 b, u32 c) {
  return pack_act(act_low(a) * act_low(b) + act_low(c), act_high(a) * act_high(b) + act_high(c));
}
u32 multiply_pairs(u32 a, u32 b) { return multiply_add_pairs(a, b, 0); }
u32 add_pairs(u32 a, u32 b) { return pack_act(act_low(a) + act_low(b), act_high(a) + act_high(b)); }

// ---- cuda/memory.cuh: shared memory has the tile at address 0, and is the global memory, too ----

u8 sharedMemory[2048];
template <typename T>
T shared(u32 address) {
  if (address % sizeof(T) != 0 || address + sizeof(T) > sizeof sharedMemory) abort();
  T value;
  memcpy(&value, sharedMemory + address, sizeof value);
  return value;
}
Vec16 load_shared16(u32 address) { return shared<Vec16>(address); }
void load_shared8(u32 address, u32 (&words)[2]) {
  words[0] = shared<u32>(address);
  words[1] = shared<u32>(address + 4);
}
u16 load_shared2(u32 address) { return shared<u16>(address); }
u32 load_shared1(u32 address) { return shared<u8>(address); }

void load_stream8(const void* from, u32 (&words)[2]) { memcpy(words, from, 8); }
template <typename T>
T __ldg(const T* from) {
  T value;
  memcpy(&value, from, sizeof value);
  return value;
}

// ---- what loads of int4 tiles do not call ----

void __syncwarp() { abort(); }
int __popc(u32) { abort(); }
using std::min;

Vec16 zero16() { abort(); }
Vec16 load_stream(const void*) { abort(); }
Vec16 load16(const void*) { abort(); }
u32 load4(const void*) { abort(); }
Vec16 load_matrices(u32) { abort(); }
void dequantise4(u32, u32&, u32&) { abort(); }

void allow_successor() { abort(); }
void wait_predecessor() { abort(); }
struct {
  int x;
} blockIdx, blockDim;

#include "linear/cuda/weights.cuh"

// ---- cuda/warp.cuh and stores: a lane's words go where the exchange between four lanes would bring them ----

void transpose4(u32 (&)[4]) {}
void store16(u16* to, const Vec16& v) {
  const int t = threadIdx.x & 3;
  for (int i = 0; i < 4; i++) memcpy(to + (i - t) * 8 + t * 2, &v.w[i], 4);
}

#include "linear/cuda/dequantise-int4.cu"

// Puts the operand of a lane where the instructions take its numbers to be, see the PTX ISA on mma.m16n8k16.
void put(double (&matrix)[16][128], const u32 (&f)[4], int lane, int column, const float (&scale)[2]) {
  for (int i = 0; i < 4; i++) {
    const int row = lane / 4 + i % 2 * 8, k = column + lane % 4 * 2 + i / 2 * 8;
    matrix[row][k] = act_low(f[i]) * scale[i % 2];
    matrix[row][k + 1] = act_high(f[i]) * scale[i % 2];
  }
}

template <WeightFormat FORMAT>
void write_operands() {
  typedef Weights<FORMAT> W;
  if (fread(sharedMemory, 1, W::TILE_BYTES, stdin) != W::TILE_BYTES || getchar() != EOF) abort();
  static double matrices[4][16][128];
  static u16 dense[16][128];
  for (int lane = 0; lane < 32; lane++)
    for (int product = 0; product < 8; product++) {
      threadIdx.x = 96 + lane;
      const int box = product / 4, group = product / W::GROUP_PRODUCTS;
      u32 f[4];
      W::fragment(f, W::load_rows(0, box, 0, 0), W::load_rows(0, box, 0, 1), product % 4);
      put(matrices[0], f, lane, product * 16, {W::scale_of(0u, group, 0), W::scale_of(0u, group, 1)});
      W::fragment(f, W::load_scaled(0, box, 0), W::load_scaled(0, box, 1), product % 4);
      put(matrices[1], f, lane, product * 16, {1, 1});
      typename W::Chunk chunk;
      W::load_chunk(chunk, sharedMemory, 0, 0, 16, 128);
      W::chunk_fragment(f, chunk, product);
      put(matrices[2], f, lane, product * 16, {W::scale_of(chunk, group, 0), W::scale_of(chunk, group, 1)});
    }
  for (int part = 0; part < 4 * 32; part++) {
    threadIdx.x = part % 32;
    dequantise_box<W>({sharedMemory, nullptr, dense[0], 16, 128}, sharedMemory, 0, 0, part / 64, part / 32 % 2);
  }
  for (int i = 0; i < 16 * 128; i++) matrices[3][i / 128][i % 128] = act_of_bits(dense[i / 128][i % 128]);
  fwrite(matrices, sizeof matrices, 1, stdout);
}

int main(int, char** arguments) {
  const struct {
    const char* name;
    void (*write)();
  } FORMATS[] = {{"INT4_G128", write_operands<INT4_G128>}, {"INT4_G128_ZEROS", write_operands<INT4_G128_ZEROS>},
                 {"INT4_G64", write_operands<INT4_G64>},   {"INT4_G64_ZEROS", write_operands<INT4_G64_ZEROS>},
                 {"INT4_G32", write_operands<INT4_G32>},   {"INT4_G32_ZEROS", write_operands<INT4_G32_ZEROS>}};
  for (const auto& format : FORMATS)
    if (strcmp(format.name, arguments[1]) == 0) return format.write(), 0;
  return 1;
}
