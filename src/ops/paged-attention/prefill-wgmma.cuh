// Causal attention of prompt chunks over a paged KV cache, compute capability 9.0. The same work as prefill.cu. Flash
// attention with asynchronous tensor cores (Shah et al. 2024, arXiv:2407.08608): a block takes 128 queries of one head.
// Two warpgroups of 64 queries each multiply (wgmma.cuh); one more fills rings with tiles of 128 keys and of their
// values, and runs ahead into the block's next piece of work. Its code is a type, the template's argument: one of its
// warps copies tiles of 16 bits (prefill-copies.cuh), or all of them make activations of a cache of 8 bits
// (prefill-convert.cuh).
//
// A warpgroup requests the sums of one tile together with the scores of the next, also from one piece of work to the
// next, and then works on exponentials. The warpgroups take turns at requesting: one's products are computed during the
// other's exponentials. (Beginning with the exponentials while the own sums are computed made it no faster on an H200.)
//
// A query's keys are added up in tiles at fixed positions, and what is masked adds zeros, so a result does not depend
// on how the prompt was cut.
#pragma once
#include "cuda/act.cuh"
#include "cuda/async.cuh"
#include "cuda/launch.cuh"
#include "cuda/memory.cuh"
#include "cuda/warp.cuh"
#include "cuda/wgmma.cuh"
#include "paged-attention/prefill-work.cuh"
#include "paged-attention/scores.cuh"

// A tile of keys for the queries of a piece of work.
struct PrefillStep {
  PrefillWork work;
  int tile;
};

// A warpgroup and its 64 queries.
template <typename Producer> struct PrefillConsumer {
  const WgmmaPrefillView& a;
  PrefillShared& shared;
  PrefillTiles tiles;
  int warpgroup, query0;  // of the block's queries, this thread's first
  RingPlace queryAt, keyAt, valueAt;
  float s[64], acc[HEAD_DIM / 2], top[2],
      total[2];  // scores; sums of values; of each row the largest score and the sum of weights
  u32 p[32];     // weights of the step whose values come next

  __device__ __forceinline__ void turn_wait() {
    asm volatile("bar.sync %0, %1;" ::"r"(1 + warpgroup), "n"(WARPGROUPS * 128) : "memory");
  }
  __device__ __forceinline__ void turn_pass() {
    asm volatile("bar.arrive %0, %1;" ::"r"(1 + (warpgroup ^ 1)), "n"(WARPGROUPS * 128) : "memory");
  }
  __device__ __forceinline__ void wait_keys() {
    barrier_wait(shared_address(shared.keysFull + keyAt.slot), keyAt.parity);
  }
  __device__ __forceinline__ void wait_values() {
    barrier_wait(shared_address(shared.valuesFull + valueAt.slot), valueAt.parity);
  }
  __device__ __forceinline__ PrefillWork wait_work() {
    barrier_wait(shared_address(shared.queriesFull + queryAt.slot), queryAt.parity);
    return shared.work[queryAt.slot];
  }
  __device__ __forceinline__ void release(RingPlace& at, u64* empty) {
    __syncwarp();
    if ((threadIdx.x & 31) == 0) barrier_arrive(shared_address(empty + at.slot));
    at.advance();
  }

  __device__ __forceinline__ void request_scores() {
    const u32 rows = tiles.queries + queryAt.slot * TILE_BYTES + warpgroup * WARPGROUP_QUERIES * 128;
    const u32 columns = tiles.keys + keyAt.slot * TILE_BYTES;
    wgmma_begin();
#pragma unroll
    for (int k = 0; k < HEAD_DIM / 16; k++) {
      const u32 within = k / 4 * TILE_HALF_BYTES + k % 4 * 32;
      wgmma_rows(s, wgmma_matrix(rows + within, 1024, 16), wgmma_matrix(columns + within, 1024, 16), k > 0);
    }
    wgmma_commit();
  }

  // Requests the sums of the step's values.
  __device__ __forceinline__ void request_sums(const PrefillStep& step) {
    const int seen = min(step.work.keys(), step.work.position0 + (warpgroup + 1) * WARPGROUP_QUERIES);
    // Values after the last query have no weight: half a tile for the first warpgroup where the tiles of queries and
    // keys are aligned.
    if (seen <= step.tile * TILE + TILE / 2)
      request_sums<TILE / 2>(step.tile > 0);
    else
      request_sums<TILE>(step.tile > 0);
  }
  template <int values> __device__ __forceinline__ void request_sums(bool add) {
    const u32 rows = tiles.values + valueAt.slot * TILE_BYTES;
    wgmma_begin();
#pragma unroll
    for (int k = 0; k < values / 16; k++)
      wgmma_columns(acc, p + 4 * k, wgmma_matrix(rows + k * 16 * 128, 1024, TILE_HALF_BYTES), k > 0 || add);
    wgmma_commit();
  }

  // Step after one whose scores are there. Returns when its keys have come.
  __device__ __forceinline__ PrefillStep step_after(const PrefillStep& step) {
    PrefillStep next = {step.work, step.tile + 1};
    if (step.tile == step.work.last_tile()) {
      release(queryAt, shared.queriesEmpty);
      next = {wait_work(), 0};
    }
    if (next.work.queries > 0) wait_keys();
    return next;
  }

  // From scores to weights: exponentials of their distance to the row's largest so far. The sums shrink as it grows.
  __device__ __forceinline__ void weigh(const PrefillStep& step) {
    const PrefillWork& w = step.work;
    if (step.tile == 0) top[0] = top[1] = MASKED_SCORE, total[0] = total[1] = 0.f;
    // The first query sees itself and what came before.
    if ((step.tile + 1) * TILE > w.position0 + warpgroup * WARPGROUP_QUERIES + 1)
      mask(w.position0 + query0 - step.tile * TILE);
    const float scale = score_scale();
    float factor[2], offset[2], sum[2][2] = {};
#pragma unroll
    for (int j = 0; j < 2; j++) {
      float best[2] = {s[2 * j], s[2 * j + 1]};
#pragma unroll
      for (int i = 4; i < 64; i += 4)
        best[0] = fmaxf(best[0], s[i + 2 * j]), best[1] = fmaxf(best[1], s[i + 2 * j + 1]);
      float largest = fmaxf(top[j], fmaxf(best[0], best[1]));
      largest = fmaxf(largest, __shfl_xor_sync(0xffffffffu, largest, 1));
      largest = fmaxf(largest, __shfl_xor_sync(0xffffffffu, largest, 2));
      factor[j] = exp2f((top[j] - largest) * scale);
      top[j] = largest;
      offset[j] = largest * scale;
    }
    // The sums are multiplied between the exponentials, which take longer.
#pragma unroll
    for (int i = 0; i < 64; i += 4) {
#pragma unroll
      for (int j = 0; j < 2; j++) {
        const float low = exp2f(s[i + 2 * j] * scale - offset[j]), high = exp2f(s[i + 2 * j + 1] * scale - offset[j]);
        sum[j][0] += low, sum[j][1] += high;
        p[i / 2 + j] = pack_act(low, high);
      }
#pragma unroll
      for (int n = i * HEAD_DIM / 128; n < (i + 4) * HEAD_DIM / 128; n++) acc[n] *= factor[n >> 1 & 1];
    }
#pragma unroll
    for (int j = 0; j < 2; j++) total[j] = total[j] * factor[j] + (sum[j][0] + sum[j][1]);
  }

  // Scores of keys after a row's query, `last` of the tile for the thread's first row.
  __device__ __forceinline__ void mask(int last) {
    const int column = (threadIdx.x & 3) * 2;
#pragma unroll
    for (int i = 0; i < 64; i++)
      if (column + (i >> 2) * 8 + (i & 1) > last + (i & 2) * 4) s[i] = MASKED_SCORE;
  }

  // A box that is only partly keys may bring whatever lies in the cache after them. Its weight is zero, so it must be a
  // number.
  __device__ __forceinline__ void clear_values(const PrefillStep& step) {
    constexpr int boxRows = Producer::UNCLEAN_ROWS;
    const int keys = step.work.keys() - step.tile * TILE;
    if (keys >= TILE || keys % boxRows == 0) return;
    wait_values();
    const u32 rows = tiles.values + valueAt.slot * TILE_BYTES;
    const int end = (keys + boxRows - 1) / boxRows * boxRows * 8;
    for (int piece = keys * 8 + (threadIdx.x & 127); piece < end; piece += 128)
#pragma unroll
      for (int half = 0; half < HALVES; half++) store_shared16(rows + half * TILE_HALF_BYTES + piece * 16, zero16());
    shared_stores_fence();
    asm volatile("bar.sync %0, 128;" ::"r"(1 + WARPGROUPS + warpgroup) : "memory");
  }

  __device__ __forceinline__ void store(const PrefillWork& w) const {
#pragma unroll
    for (int j = 0; j < 2; j++) {
      float sum = total[j] + __shfl_xor_sync(0xffffffffu, total[j], 1);
      sum += __shfl_xor_sync(0xffffffffu, sum, 2);
      const float inverse = 1.f / sum;
      const int query = query0 + 8 * j;
      u16* to = a.out + ((size_t)(w.first + query) * a.heads + w.head) * HEAD_DIM + (threadIdx.x & 3) * 8;
#pragma unroll
      for (int n = 0; n < HEAD_DIM / 32; n++) {
        Vec16 words;
#pragma unroll
        for (int i = 0; i < 4; i++) {
          const int at = (n * 4 + i) * 4 + 2 * j;
          words.w[i] = pack_act(acc[at] * inverse, acc[at + 1] * inverse);
        }
        transpose4(words.w);
        if (query < w.queries) store16(to + n * 32, words);
      }
    }
  }

  __device__ __forceinline__ void wait_products() {
    wgmma_wait<0>();
    hold(s);
    hold(acc);
  }

  __device__ __forceinline__ void run() {
    if (warpgroup == 1) turn_pass();
#pragma unroll
    for (int i = 0; i < HEAD_DIM / 2; i++) acc[i] = 0.f;
    PrefillStep step = {wait_work(), 0};
    wait_keys();
    request_scores();
    wait_products();
    release(keyAt, shared.keysEmpty);
    weigh(step);

    for (PrefillStep next = step_after(step); next.work.queries > 0; next = step_after(step)) {
      clear_values(step);
      wait_values();
      turn_wait();
      hold(s);
      hold(acc);
      request_scores();
      request_sums(step);
      turn_pass();
      wait_products();
      release(keyAt, shared.keysEmpty);
      release(valueAt, shared.valuesEmpty);
      if (next.tile == 0) store(step.work);
      step = next;
      weigh(step);
    }

    clear_values(step);
    wait_values();
    hold(acc);
    request_sums(step);
    wait_products();
    store(step.work);
  }
};

// Work: tiles of queries times heads. The first of each block is given by its index; then who is ready first takes the
// next.
template <typename Producer> __device__ __forceinline__ void attend_prefill(const WgmmaPrefillView& a) {
  extern __shared__ __align__(1024) u8 memory[];  // swizzling counts on multiples of 1024
  const u32 base = shared_address(memory);
  const PrefillTiles at = {base, base + SLOTS * TILE_BYTES, base + 2 * SLOTS * TILE_BYTES};
  PrefillShared& shared = *(PrefillShared*)(memory + 3 * SLOTS * TILE_BYTES);
  if (threadIdx.x < SLOTS) {
    const int i = threadIdx.x, warps = WARPGROUPS * 4;
    barrier_init(shared_address(shared.queriesFull + i), 1);
    barrier_init(shared_address(shared.queriesEmpty + i), warps);
    barrier_init(shared_address(shared.keysFull + i), Producer::ARRIVALS);
    barrier_init(shared_address(shared.keysEmpty + i), warps);
    barrier_init(shared_address(shared.valuesFull + i), Producer::ARRIVALS);
    barrier_init(shared_address(shared.valuesEmpty + i), warps);
  }
  barriers_fence();
  if (threadIdx.x == WARPGROUPS * 128) Producer::prefetch_maps(a);
  __syncthreads();
  allow_successor();
  wait_predecessor();
  // The same for all lanes, so that the compiler sees it: products may not stand in a divergent branch.
  const int warp = __shfl_sync(0xffffffffu, threadIdx.x >> 5, 0);
  if (warp >= WARPGROUPS * 4) {
    asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(Producer::FILLING_REGISTERS));
    // The first round finds every slot empty.
    if (warp < WARPGROUPS * 4 + Producer::WARPS) Producer{{a, shared, at, {0, 1}, {0, 1}, {0, 1}, nullptr, 0}}.run();
  } else {
    asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(Producer::MULTIPLYING_REGISTERS));
    const int query0 = warp * 16 + (int)((threadIdx.x & 31) >> 2);
    PrefillConsumer<Producer>{a, shared, at, warp >> 2, query0, {0, 0}, {0, 0}, {0, 0}}.run();
  }
}
