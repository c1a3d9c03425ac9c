// Copy engine and tensor cores for on-host.h. Copies arrive at random times; a product is added in double precision.
#pragma once
#include "cuda/testing/on-host.h"

// ---- barriers: a phase completes when its arrivals and the announced bytes have come ----

struct HostBarrier {
  u32 count, pending, phase;
  int64_t bytes;
};
std::vector<HostBarrier> hostBarriers(host::MEMORY_BYTES / 8);

HostBarrier& barrier_at(u32 address) {
  host::check(address % 8 == 0 && address < host::sharedBytes, "the place of a barrier");
  return hostBarriers[address / 8];
}
void barrier_count(u32 address, u32 arrivals, int64_t bytes) {
  HostBarrier& barrier = barrier_at(address);
  host::check(barrier.pending >= arrivals, "more arrivals than a barrier has");
  barrier.pending -= arrivals;
  barrier.bytes += bytes;
  if (barrier.pending > 0 || barrier.bytes != 0) return;
  barrier.phase ^= 1;
  barrier.pending = barrier.count;
}
void barrier_init(u32 address, u32 count) { barrier_at(address) = {count, count, 0, 0}; }
void barrier_expect(u32 address, u32 bytes) { barrier_count(address, 1, bytes); }
void barrier_arrive(u32 address) { barrier_count(address, 1, 0); }
void barrier_wait(u32 address, u32 parity) {
  while (barrier_at(address).phase == parity) host::pass();
}
void barriers_fence() {}
void shared_stores_fence() {}

// ---- copies ----

u64 evict_first_policy() { return 0; }
void copy_later(u32 target, u32 bytes, u32 alignment, u32 barrier, const std::function<void()>& copy) {
  host::check(target % alignment == 0 && target + bytes <= host::sharedBytes, "the target of a copy");
  host::copies.push_back([=] {
    copy();
    barrier_count(barrier, 0, -(int64_t)bytes);
  });
}
void bulk_copy(u32 target, const void* source, u32 bytes, u32 barrier) {
  host::check(bytes > 0 && bytes % 16 == 0 && (u64)source % 16 == 0, "the source of a copy");
  copy_later(target, bytes, 16, barrier, [=] { memcpy(memory + target, source, bytes); });
}
void bulk_copy_once(u32 target, const void* source, u32 bytes, u32 barrier, u64) {
  bulk_copy(target, source, bytes, barrier);
}

// A map as host-kernels.ts writes it: of a matrix of values of `size` bytes in boxes of 128 bytes a row, or of tiles.
struct alignas(64) TensorMap {
  const u8* base;
  int rows, columns, boxRows, boxColumns, size, boxCount, unused[24];
};
static_assert(sizeof(TensorMap) == 128, "the size of a CUtensorMap");

void box_copy(u32 target, const void* map, int column, int row, u32 barrier) {
  const TensorMap m = *(const TensorMap*)map;
  copy_later(target, m.boxRows * 128, 128, barrier, [=] {
    for (int i = 0; i < m.boxRows * 128; i += m.size) {
      const int r = row + i / 128, c = column + i % 128 / m.size;
      const u32 line = target + i / 128 * 128, piece = (i % 128 / 16) ^ (line / 128 % 8);
      u16 value = 0;
      if (r < m.rows && c < m.columns) memcpy(&value, m.base + ((size_t)r * m.columns + c) * m.size, m.size);
      memcpy(memory + line + piece * 16 + i % 16, &value, m.size);
    }
  });
}
void boxes_copy(u32 target, const void* map, int box, int row, u32 barrier) {
  const TensorMap m = *(const TensorMap*)map;
  for (int i = 0; i < m.boxCount; i++)
    box_copy(target + i * m.boxRows * 128, map, (box + i) * 128 / m.size, row, barrier);
}
void box_copy_once(u32 target, const void* map, int column, int row, u32 barrier, u64) {
  box_copy(target, map, column, row, barrier);
}
void tiles_copy_once(u32 target, const void* map, int across, int tile, u32 barrier, u64) {
  const TensorMap m = *(const TensorMap*)map;
  copy_later(target, m.boxRows * m.boxColumns * m.size, 128, barrier, [=] {
    for (int i = 0; i < m.boxRows * m.boxColumns; i++) {
      const int row = tile + i / m.boxColumns, column = across + i % m.boxColumns;
      u8* to = memory + target + i * m.size;
      memset(to, 0, m.size);
      if (row < m.rows && column < m.columns) memcpy(to, m.base + ((size_t)row * m.columns + column) * m.size, m.size);
    }
  });
}

// ---- clusters of one block ----

u32 cluster_rank() { return 0; }
u32 address_in_block(u32 address, u32) { return address; }
void cluster_sync() { __syncthreads(); }
void cluster_arrive(u32) { host::fail("clusters do not run on a host"); }
void cluster_wait(u32, u32) { host::fail("clusters do not run on a host"); }
template <typename Sum>
void cluster_store(u32, Sum, Sum, Sum, Sum) {
  host::fail("clusters do not run on a host");
}

// ---- tensor cores (PTX ISA: fragments of mma.m16n8k16 and wgmma.m64nNk16) ----

// Rows of a warp's first operand, of which each lane has four words.
template <typename Lanes>
void gather_rows(double (&rows)[16][16], const Lanes& lanes) {
  for (int lane = 0; lane < 32; lane++)
    for (int i = 0; i < 4; i++) {
      double* to = rows[lane / 4 + i % 2 * 8] + lane % 4 * 2 + i / 2 * 8;
      to[0] = act_low(lanes(lane).a[i]);
      to[1] = act_high(lanes(lane).a[i]);
    }
}
double dot(const double* a, const double* b) {
  double sum = 0;
  for (int k = 0; k < 16; k++) sum += a[k] * b[k];
  return sum;
}

void mma16816(float (&d)[4], const u32 (&a)[4], u32 b0, u32 b1) {
  struct {
    float* d;
    const u32* a;
    u32 b[2];
  } own{d, a, {b0, b1}};
  host::in_warp(own, [](const auto& lanes) {
    double rows[16][16], columns[8][16];
    gather_rows(rows, lanes);
    for (int lane = 0; lane < 32; lane++)
      for (int i = 0; i < 2; i++) {
        columns[lane / 4][i * 8 + lane % 4 * 2] = act_low(lanes(lane).b[i]);
        columns[lane / 4][i * 8 + lane % 4 * 2 + 1] = act_high(lanes(lane).b[i]);
      }
    for (int lane = 0; lane < 32; lane++)
      for (int i = 0; i < 4; i++)
        lanes(lane).d[i] += (float)dot(rows[lane / 4 + i / 2 * 8], columns[lane % 4 * 2 + i % 2]);
  });
}
Vec16 load_matrices(u32 address) {
  struct {
    u32 address;
    Vec16 words;
  } own{address, {}};
  host::in_warp(own, [](const auto& lanes) {
    for (int lane = 0; lane < 32; lane++)
      for (int i = 0; i < 4; i++)
        lanes(lane).words.w[i] = load_shared<u32>(lanes(i * 8 + lane / 4).address + lane % 4 * 4);
  });
  return own.words;
}
u32 transpose_matrix(u32 pair) {
  u32 own[2] = {pair, 0};
  host::in_warp(own, [](const auto& lanes) {
    const auto value = [&](int row, int column) { return (u16)(lanes(row * 4 + column / 2)[0] >> column % 2 * 16); };
    for (int lane = 0; lane < 32; lane++)
      lanes(lane)[1] = value(lane % 4 * 2, lane / 4) | (u32)value(lane % 4 * 2 + 1, lane / 4) << 16;
  });
  return own[1];
}

void wgmma_begin() {}
void wgmma_commit() {}
template <int n>
void hold(float (&)[n]) {}
template <int pending>
void wgmma_wait() {}
template <int count>
void give_registers() {}
template <int count>
void take_registers() {}
u64 wgmma_matrix(u32 address, u32, u32) {
  host::check(address % 1024 == 0, "the place of a matrix");
  return address >> 4;
}
template <int SUMS>
void wgmma_rows(float (&sums)[SUMS], const u32 (&a)[4], u64 matrix) {
  struct {
    float* d;
    const u32* a;
  } own{sums, a};
  host::in_warp(own, [matrix](const auto& lanes) {
    double rows[16][16], columns[SUMS * 2][16];
    gather_rows(rows, lanes);
    const u32 at = (u32)matrix << 4, box = at / 1024 * 1024, piece = at % 128 / 16;
    for (int n = 0; n < SUMS * 2; n++)
      for (int k = 0; k < 16; k++)
        columns[n][k] = act_to_float(load_shared<u16>(box + n * 128 + ((piece + k / 8) ^ (n & 7)) * 16 + k % 8 * 2));
    for (int lane = 0; lane < 32; lane++)
      for (int i = 0; i < SUMS; i++)
        lanes(lane).d[i] += (float)dot(rows[(i & 2) * 4 + lane / 4], columns[i / 4 * 8 + lane % 4 * 2 + (i & 1)]);
  });
}

// 32 k of bytes, of which `value` makes numbers.
template <int SUMS, typename Sum, typename Value>
void wgmma_bytes(Sum (&sums)[SUMS], const u32 (&a)[4], u64 matrix, const Value& value) {
  struct {
    Sum* d;
    const u32* a;
  } own{sums, a};
  host::in_warp(own, [&](const auto& lanes) {
    double rows[16][32], columns[SUMS * 2][32];
    for (int lane = 0; lane < 32; lane++)
      for (int i = 0; i < 16; i++)
        rows[lane / 4 + i / 4 % 2 * 8][i / 8 * 16 + lane % 4 * 4 + i % 4] =
            value((u8)(lanes(lane).a[i / 4] >> i % 4 * 8));
    const u32 at = (u32)matrix << 4, box = at / 1024 * 1024, piece = at % 128 / 16;
    for (int n = 0; n < SUMS * 2; n++)
      for (int k = 0; k < 32; k++)
        columns[n][k] = value(load_shared<u8>(box + n * 128 + ((piece + k / 16) ^ (n & 7)) * 16 + k % 16));
    for (int lane = 0; lane < 32; lane++)
      for (int i = 0; i < SUMS; i++) {
        double sum = 0;
        for (int k = 0; k < 32; k++)
          sum += rows[(i & 2) * 4 + lane / 4][k] * columns[i / 4 * 8 + lane % 4 * 2 + (i & 1)][k];
        lanes(lane).d[i] += (Sum)sum;
      }
  });
}
template <int SUMS>
void wgmma_rows(int (&sums)[SUMS], const u32 (&a)[4], u64 matrix) {
  wgmma_bytes(sums, a, matrix, [](u8 byte) { return (double)(int8_t)byte; });
}
template <int SUMS>
void wgmma_e4m3(float (&sums)[SUMS], const u32 (&a)[4], u64 matrix, int add) {
  if (!add)
    for (float& sum : sums) sum = 0;
  wgmma_bytes(sums, a, matrix, e4m3_value);
}
