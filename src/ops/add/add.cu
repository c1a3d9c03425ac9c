// residual += delta, and the bias of a linear layer; 8 elements a thread.
#include "cuda/act.cuh"
#include "cuda/launch.cuh"
#include "cuda/memory.cuh"

struct AddArgs {
  u16* residual;     // [8 vectors]
  const u16* delta;  // [8 vectors]
  int vectors;
};

extern "C" __global__ void add(const AddArgs args) {
  allow_successor();
  wait_predecessor();
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= args.vectors) return;
  float a[8], b[8];
  unpack8(load16(args.residual + (size_t)i * 8), a);
  unpack8(load16(args.delta + (size_t)i * 8), b);
#pragma unroll
  for (int j = 0; j < 8; j++) a[j] += b[j];
  store16(args.residual + (size_t)i * 8, pack8(a));
}

struct AddBiasArgs {
  u16* out;         // [rows, columns]
  const u16* bias;  // [columns]
  int columns;
};

// Adds the bias to each row; blockIdx.y is the row.
extern "C" __global__ void add_bias(const AddBiasArgs args) {
  allow_successor();
  wait_predecessor();
  const int i = (blockIdx.x * blockDim.x + threadIdx.x) * 8;
  if (i >= args.columns) return;
  float a[8], b[8];
  unpack8(load16(args.out + (size_t)blockIdx.y * args.columns + i), a);
  unpack8(load16(args.bias + i), b);
#pragma unroll
  for (int j = 0; j < 8; j++) a[j] += b[j];
  store16(args.out + (size_t)blockIdx.y * args.columns + i, pack8(a));
}
