// Choosing the next token as contract.ts says, one block a row of logits. Compiled without fast math: exp must be accurate.
// Thresholds are found by radix selection over the bits of the values: four passes of 256 bins each, over counts for top-k,
// over weights for top-p. Weights are whole numbers, so that every sum is exact in any order.
#include "cuda/launch.cuh"
#include "cuda/warp.cuh"

#define SAMPLE_THREADS 1024
#define NOTHING __int_as_float(0xff800000)  // minus infinity
#define WEIGHT_ONE 1073741824.f

// Sampling state of a sequence; written by cuda.ts: same fields, same order.
struct SampleSlot {
  int promptCount, lastToken, minTokens, topK;
  float temperature, logMinP, repetition, frequency, presence;
  int topCount, promptTopCount;  // -1 reports nothing
  int biasCount, badWordCount, endCount;
  int isBeam, unused;  // 1: scores are wanted instead of a choice
  double topP;
  u64 seed;
  int lists[1];  // [biasCount] ids, [biasCount] f32 values, [endCount] ids, then per bad word its length and ids
};

struct SampleArgs {
  const float* logits;      // [logits, stride], of which vocabulary count
  float* work;              // [logits, vocabulary]
  u32* counts;              // [logits, vocabulary], zero between launches
  u8* slots;                // slotBytes each
  int* lastTokens;          // [slots]
  int* history;             // [slots, maxSequence] token ids by position
  const int *logitRows, *logitTokens, *logitTargets, *rowSlots, *positions;
  int* outTokens;
  float* outLogprobs;
  int* outTopIds;           // [logits, topCount]
  float* outTopLogprobs;
  int vocabulary, stride, slotBytes, maxSequence, topCount;
};

struct Candidate {
  float value;
  int id;
};

__device__ __forceinline__ Candidate better(Candidate a, Candidate b) {
  return b.value > a.value || (b.value == a.value && (u32)b.id < (u32)a.id) ? b : a;
}

struct Scratch {
  Candidate candidates[32];
  float sums[32];
  u64 bins[256];
  u64 prefix[SAMPLE_THREADS / 32];
  u64 chosen;
  u32 key;
  int id;
};

__device__ __forceinline__ float or_nothing(float value) { return value > NOTHING ? value : NOTHING; }

// Largest value and its lowest id among those that `take` accepts; id -1 when there is none above minus infinity.
template <typename Take>
__device__ Candidate block_best(const float* values, int count, Scratch& s, Take take) {
  Candidate best{NOTHING, -1};
  for (int i = threadIdx.x; i < count; i += SAMPLE_THREADS) {
    const float value = values[i];
    if (value > best.value && take(value, i)) best = Candidate{value, i};
  }
#pragma unroll
  for (int mask = 16; mask > 0; mask >>= 1)
    best = better(best, Candidate{__shfl_xor_sync(0xffffffffu, best.value, mask), __shfl_xor_sync(0xffffffffu, best.id, mask)});
  __syncthreads();
  if ((threadIdx.x & 31) == 0) s.candidates[threadIdx.x >> 5] = best;
  __syncthreads();
  for (int w = 0; w < SAMPLE_THREADS / 32; w++) best = better(best, s.candidates[w]);
  return best;
}

__device__ float block_total(float value, Scratch& s) {
  value = warp_sum(value);
  __syncthreads();
  if ((threadIdx.x & 31) == 0) s.sums[threadIdx.x >> 5] = value;
  __syncthreads();
  float sum = 0.f;
  for (int w = 0; w < SAMPLE_THREADS / 32; w++) sum += s.sums[w];
  return sum;
}

// Order-preserving map of floats to unsigned integers, and back.
__device__ __forceinline__ u32 key_of(float value) {
  const u32 bits = __float_as_uint(value + 0.f);  // -0 becomes 0
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}
__device__ __forceinline__ float value_of(u32 key) { return __uint_as_float(key & 0x80000000u ? key & 0x7fffffffu : ~key); }

__device__ __forceinline__ u32 weight_of(float value, float largest) {
  return value > NOTHING ? (u32)__float2uint_rn(expf(__fsub_rn(value, largest)) * WEIGHT_ONE) : 0u;
}

// Going down from the largest value, the first at which the running sum of `amount` reaches `target`.
template <typename Amount, typename Reached>
__device__ float select_down(const float* values, int count, Scratch& s, Amount amount, Reached reached) {
  u32 prefix = 0, mask = 0;
  u64 before = 0;
  for (int shift = 24; shift >= 0; shift -= 8) {
    if (threadIdx.x < 256) s.bins[threadIdx.x] = 0;
    __syncthreads();
    for (int i = threadIdx.x; i < count; i += SAMPLE_THREADS) {
      const u32 key = key_of(values[i]);
      if ((key & mask) != prefix) continue;
      const u64 add = amount(values[i]);
      if (add) atomicAdd(&s.bins[(key >> shift) & 255], add);
    }
    __syncthreads();
    if (threadIdx.x == 0) {
      u64 sum = before;
      int bin = 255, lowest = -1;  // lowest non-empty bin seen, in case the target is never reached
      u64 beforeLowest = before;
      for (; bin >= 0; bin--) {
        if (s.bins[bin] == 0) continue;
        lowest = bin, beforeLowest = sum;
        sum += s.bins[bin];
        if (reached(sum)) break;
      }
      s.key = prefix | ((u32)(lowest < 0 ? 0 : lowest) << shift);
      s.chosen = beforeLowest;
    }
    __syncthreads();
    prefix = s.key, before = s.chosen;
    mask |= 255u << shift;
    __syncthreads();
  }
  return value_of(prefix);
}

__device__ __forceinline__ u64 random_bits(u64 seed, u32 position) {
  u32 c0 = position, c1 = 0, c2 = 0, c3 = 0, k0 = (u32)seed, k1 = (u32)(seed >> 32);
#pragma unroll
  for (int round = 0; round < 10; round++) {
    const u64 first = (u64)0xd2511f53u * c0, second = (u64)0xcd9e8d57u * c2;
    c0 = (u32)(second >> 32) ^ c1 ^ k0;
    c1 = (u32)second;
    c2 = (u32)(first >> 32) ^ c3 ^ k1;
    c3 = (u32)first;
    k0 += 0x9e3779b9u;
    k1 += 0xbb67ae85u;
  }
  return ((u64)c1 << 32) | c0;
}

// Steps 1 to 5: `work` becomes the modified values of logits - logSum.
__device__ void modify(const SampleArgs& a, const SampleSlot& slot, const float* logits, float logSum, float* work, u32* counts,
                       const int* history, int historyCount, Scratch& s) {
  for (int i = threadIdx.x; i < a.vocabulary; i += SAMPLE_THREADS) work[i] = __fsub_rn(or_nothing(logits[i]), logSum);
  __syncthreads();
  const int* list = slot.lists;
  for (int i = threadIdx.x; i < slot.biasCount; i += SAMPLE_THREADS)
    work[list[i]] = __fadd_rn(work[list[i]], __int_as_float(list[slot.biasCount + i]));
  list += 2 * slot.biasCount;
  __syncthreads();
  if (slot.repetition != 1.f || slot.frequency != 0.f || slot.presence != 0.f) {
    // The high half marks the token as seen, the low half counts it in the output.
    for (int i = threadIdx.x; i < historyCount; i += SAMPLE_THREADS) {
      atomicOr(&counts[history[i]], 0x80000000u);
      if (i >= slot.promptCount) atomicAdd(&counts[history[i]], 1u);
    }
    __syncthreads();
    for (int i = threadIdx.x; i < a.vocabulary; i += SAMPLE_THREADS) {
      if (counts[i] == 0) continue;
      const u32 count = counts[i] & 0x7fffffffu;
      float value = work[i];
      value = value < 0.f ? __fmul_rn(value, slot.repetition) : __fdiv_rn(value, slot.repetition);
      if (count > 0) value = __fsub_rn(__fsub_rn(value, __fmul_rn(slot.frequency, (float)count)), slot.presence);
      work[i] = value;
      counts[i] = 0;
    }
    __syncthreads();
  }
  if (threadIdx.x == 0) {
    const int* word = list + slot.endCount;
    for (int w = 0; w < slot.badWordCount; w++, word += word[0] + 1) {
      const int prefix = word[0] - 1;
      bool completes = prefix <= historyCount;
      for (int i = 0; completes && i < prefix; i++) completes = word[1 + i] == history[historyCount - prefix + i];
      if (completes) work[word[prefix + 1]] = NOTHING;
    }
    if (historyCount - slot.promptCount < slot.minTokens)
      for (int i = 0; i < slot.endCount; i++) work[list[i]] = NOTHING;
  }
  __syncthreads();
}

// Steps 7 to 11.
__device__ int draw(const SampleArgs& a, const SampleSlot& slot, const float* source, float* work, u32 position, Scratch& s) {
  for (int i = threadIdx.x; i < a.vocabulary; i += SAMPLE_THREADS) work[i] = __fdiv_rn(or_nothing(source[i]), slot.temperature);
  __syncthreads();
  const float largest = block_best(work, a.vocabulary, s, [](float, int) { return true; }).value;
  float threshold = NOTHING;
  if (slot.topK > 0 && slot.topK < a.vocabulary) {
    const u64 wanted = slot.topK;
    threshold = select_down(work, a.vocabulary, s, [](float) { return (u64)1; }, [wanted](u64 sum) { return sum >= wanted; });
  }
  const auto weight = [&](float value) { return value < threshold ? 0u : weight_of(value, largest); };
  // A thread sums consecutive ids, so that the running sum by id is a sum over threads before it.
  const int share = (a.vocabulary + SAMPLE_THREADS - 1) / SAMPLE_THREADS, begin = threadIdx.x * share;
  const int end = min(begin + share, a.vocabulary);
  const auto running = [&](u64& mine) {  // returns the sum over earlier threads; s.chosen is the total
    mine = 0;
    for (int i = begin; i < end; i++) mine += weight(work[i]);
    u64 scan = mine;
#pragma unroll
    for (int step = 1; step < 32; step <<= 1) {
      const u64 other = __shfl_up_sync(0xffffffffu, scan, step);
      if ((threadIdx.x & 31) >= step) scan += other;
    }
    __syncthreads();
    if ((threadIdx.x & 31) == 31) s.prefix[threadIdx.x >> 5] = scan;
    __syncthreads();
    u64 earlier = scan - mine, total = 0;
    for (int w = 0; w < SAMPLE_THREADS / 32; w++) {
      if (w < (int)(threadIdx.x >> 5)) earlier += s.prefix[w];
      total += s.prefix[w];
    }
    if (threadIdx.x == 0) s.chosen = total;
    __syncthreads();
    return earlier;
  };
  u64 mine;
  if (slot.topP < 1.0) {
    running(mine);
    const double target = slot.topP * (double)s.chosen;
    __syncthreads();
    threshold = select_down(work, a.vocabulary, s, [&](float value) { return (u64)weight(value); },
                            [target](u64 sum) { return (double)sum >= target; });
  }
  threshold = fmaxf(threshold, __fadd_rn(largest, slot.logMinP));
  const u64 earlier = running(mine);
  const u64 point = __umul64hi(random_bits(slot.seed, position), s.chosen);
  if (earlier <= point && point < earlier + mine) {
    u64 sum = earlier;
    for (int i = begin; i < end; i++) {
      sum += weight(work[i]);
      if (sum > point) {
        s.id = i;
        break;
      }
    }
  }
  __syncthreads();
  return s.id;
}

extern "C" __global__ void __launch_bounds__(SAMPLE_THREADS, 1)
    sample(const float* logits, float* work, u32* counts, u8* slots, int* lastTokens, int* history, const int* logitRows,
           const int* logitTokens, const int* logitTargets, const int* rowSlots, const int* positions, int* outTokens,
           float* outLogprobs, int* outTopIds, float* outTopLogprobs, int vocabulary, int stride, int slotBytes, int maxSequence,
           int topCount) {
  const SampleArgs a{logits, work, counts, slots, lastTokens, history, logitRows, logitTokens, logitTargets, rowSlots, positions,
                     outTokens, outLogprobs, outTopIds, outTopLogprobs, vocabulary, stride, slotBytes, maxSequence, topCount};
  __shared__ Scratch s;
  allow_successor();
  wait_predecessor();
  const int index = blockIdx.x, slotIndex = a.rowSlots[a.logitRows[index]];
  if (slotIndex < 0) return;  // a padding row
  const SampleSlot& slot = *(const SampleSlot*)(a.slots + (size_t)slotIndex * a.slotBytes);
  const int target = a.logitTargets[index], position = a.positions[a.logitTokens[index]] + 1;
  const float* row = a.logits + (size_t)index * a.stride;
  float* work_ = a.work + (size_t)index * a.vocabulary;
  int* past = a.history + (size_t)slotIndex * a.maxSequence;

  int token = target;
  const Candidate unmodified = block_best(row, a.vocabulary, s, [](float, int) { return true; });
  const int wanted = target < 0 ? slot.topCount : slot.promptTopCount;
  const float* scored = row;  // the log probability of a token is scored[token] - logSum
  float logSum = 0.f;
  if (wanted >= 0) {
    float sum = 0.f;
    for (int i = threadIdx.x; i < a.vocabulary; i += SAMPLE_THREADS) sum += expf(or_nothing(row[i]) - unmodified.value);
    logSum = unmodified.value + logf(block_total(sum, s));
  }
  if (target < 0) {
    const bool greedy = slot.temperature == 0.f || slot.topK == 1;
    const bool plain = slot.biasCount == 0 && slot.repetition == 1.f && slot.frequency == 0.f && slot.presence == 0.f &&
                       slot.badWordCount == 0 && position - slot.promptCount >= slot.minTokens;
    token = unmodified.id;
    if (!plain) {
      const float shift = slot.isBeam ? logSum : 0.f;
      modify(a, slot, row, shift, work_, a.counts + (size_t)index * a.vocabulary, past, position, s);
      token = block_best(work_, a.vocabulary, s, [](float, int) { return true; }).id;
      if (slot.isBeam && token >= 0) scored = work_, logSum = 0.f;
    }
    if (token < 0) token = unmodified.id;
    else if (!greedy) token = draw(a, slot, plain ? row : work_, work_, position, s);
  }

  float logprob = __int_as_float(0x7fc00000);  // NaN: nobody asked
  if (wanted >= 0 && token >= 0) logprob = or_nothing(scored[token]) - logSum;
  Candidate last{__int_as_float(0x7f800000), -1};
  for (int rank = 0; rank < a.topCount; rank++) {
    if (rank < wanted)
      last = block_best(scored, a.vocabulary, s, [&](float value, int id) {
        return value < last.value || (value == last.value && id > last.id);
      });
    else last.id = -1;
    if (threadIdx.x == 0) {
      a.outTopIds[(size_t)index * a.topCount + rank] = last.id;
      a.outTopLogprobs[(size_t)index * a.topCount + rank] = last.id < 0 ? NOTHING : last.value - logSum;
    }
    if (last.id < 0) last.value = NOTHING;
  }
  if (threadIdx.x == 0) {
    a.outTokens[index] = token;
    a.outLogprobs[index] = logprob;
    if (target < 0) {
      a.lastTokens[slotIndex] = token;
      if (position < a.maxSequence) past[position] = max(0, token);  // penalties count tokens of the history by id
    }
  }
}
