// Decode attention over an int8 cache as plainly as it can be written, and random data for it (decode-int8.cu).
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <vector>
#include <cuda_runtime.h>
#include "paged-attention/decode-unit.cuh"
#include "timed-graph.cuh"

constexpr int MOST_TOKENS = 4096;

// Attention of a row and head by a block, one thread a dimension; the new token's key and value are rounded to int8 as
// in the cache.
__global__ void __launch_bounds__(HEAD_DIM) plain(const DecodeArgs a, const int* lengths, float* out) {
  __shared__ float scores[MOST_TOKENS], q[HEAD_DIM], part[4];
  const int row = blockIdx.x, head = blockIdx.y, d = threadIdx.x, length = lengths[row], newest = length - 1;
  const auto all = [&](float x, auto join) {
    for (int m = 16; m > 0; m >>= 1) x = join(x, __shfl_xor_sync(~0u, x, m));
    __syncthreads();
    if (d % 32 == 0) part[d / 32] = x;
    __syncthreads();
    return join(join(part[0], part[1]), join(part[2], part[3]));
  };
  const auto sum = [&](float x) { return all(x, [](float l, float r) { return l + r; }); };
  const auto top = [&](float x) { return all(x, [](float l, float r) { return fmaxf(l, r); }); };
  const u16* from = a.qkv + (size_t)row * 3 * a.kvHeads * HEAD_DIM + head * HEAD_DIM;
  const auto rotated = [&](const u16* x) {
    const int other = (d + HEAD_DIM / 2) % HEAD_DIM, pair = newest * (HEAD_DIM / 2) + d % (HEAD_DIM / 2);
    const float turned = act_to_float(x[other]) * a.sinTable[pair] * (d < HEAD_DIM / 2 ? -1.f : 1.f);
    return round_act(act_to_float(x[d]) * a.cosTable[pair] + turned);
  };
  const auto coded = [&](float x) {
    const float largest = top(fabsf(x));
    return rintf(x * (127.f / largest)) * (largest / 127.f);
  };
  q[d] = rotated(from);
  const float key = coded(rotated(from + a.kvHeads * HEAD_DIM));
  const float value = coded(act_to_float(from[2 * a.kvHeads * HEAD_DIM + d]));
  const auto block_of = [&](int token) {
    const int block = a.blockTables[row * a.maxBlocks + token / BLOCK_TOKENS];
    return a.cache + block * a.blockStride + (size_t)head * KV_HEAD_BYTES;
  };
  const auto cached = [&](int isValue, int token, int dim) {
    const u8* block = block_of(token);
    const int vector = isValue * BLOCK_TOKENS + token % BLOCK_TOKENS;
    return ((int)block[vector * HEAD_DIM + dim] - 128) * ((const float*)(block + 2 * KV_HALF_BYTES))[vector];
  };
  const float scale = rsqrtf((float)HEAD_DIM), newScore = sum(q[d] * key) * scale;
  for (int token = d; token < newest; token += HEAD_DIM) {
    float score = 0.f;
    for (int i = 0; i < HEAD_DIM; i++) score += q[i] * cached(0, token, i);
    scores[token] = score * scale;
  }
  if (d == 0) scores[newest] = newScore;
  __syncthreads();
  float best = -1e30f, weights = 0.f, result = 0.f;
  for (int token = d; token < length; token += HEAD_DIM) best = fmaxf(best, scores[token]);
  best = top(best);
  for (int token = 0; token < length; token++) {
    const float weight = expf(scores[token] - best);
    weights += weight;
    result += weight * (token == newest ? value : cached(1, token, d));
  }
  out[((size_t)row * a.kvHeads + head) * HEAD_DIM + d] = result / weights;
}

__device__ __forceinline__ u32 mixed(u64 i) {
  u32 x = (u32)(i ^ i >> 32) * 2654435761u + (u32)(i >> 32) * 0x85ebca6bu;
  x ^= x >> 16, x *= 0x85ebca6bu, x ^= x >> 13, x *= 0xc2b2ae35u;
  return x ^ x >> 16;
}
// Blocks of heads: random codes, and scales of about 0.01.
__global__ void fill_cache(u32* p, size_t words) {
  for (size_t i = blockIdx.x * (size_t)blockDim.x + threadIdx.x; i < words; i += (size_t)gridDim.x * blockDim.x) {
    const u32 x = mixed(i);
    p[i] = i % (KV_HEAD_BYTES / 4) < 2 * KV_HALF_BYTES / 4 ? x : __float_as_uint(0.005f + (x >> 8) * 0x1p-24f * 0.01f);
  }
}
__global__ void fill_qkv(u16* p, size_t count) {
  for (size_t i = blockIdx.x * (size_t)blockDim.x + threadIdx.x; i < count; i += (size_t)gridDim.x * blockDim.x)
    p[i] = float_to_act((mixed(i + 77) >> 8) * 0x1p-22f - 2.f);
}
__global__ void fill_rotation(float* cosine, float* sine) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < MOST_TOKENS * HEAD_DIM / 2; i += gridDim.x * blockDim.x) {
    const float angle = i / (HEAD_DIM / 2) * exp2f(-13.3f * (i % (HEAD_DIM / 2)) / (HEAD_DIM / 2));
    cosine[i] = cosf(angle), sine[i] = sinf(angle);
  }
}

// Largest difference as a share of the largest number.
static float error_of(const u16* out, const float* expected, size_t count) {
  std::vector<u16> found(count);
  std::vector<float> wanted(count);
  CHECK(cudaMemcpy(found.data(), out, count * 2, cudaMemcpyDeviceToHost));
  CHECK(cudaMemcpy(wanted.data(), expected, count * 4, cudaMemcpyDeviceToHost));
  float error = 0.f, largest = 0.f;
  for (size_t i = 0; i < count; i++) {
    if (std::isnan(wanted[i])) return INFINITY;
    const int exponent = found[i] >> 10 & 31, fraction = found[i] & 1023;
    const float size = exponent == 31 ? INFINITY
                       : exponent     ? ldexpf(1024 + fraction, exponent - 25)
                                      : ldexpf(fraction, -24);
    error = std::max(error, fabsf((found[i] >> 15 ? -size : size) - wanted[i]));
    largest = std::max(largest, fabsf(wanted[i]));
  }
  return error / largest;
}
