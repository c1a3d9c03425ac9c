// Choosing the next token as contract.ts says, one block a row of logits. Compiled without fast math: exp must be
// accurate.
#include "cuda/launch.cuh"
#include "cuda/warp.cuh"
#include "sample/draw.cuh"
#include "sample/select.cuh"
#include "sample/slot.cuh"

// A row of logits and what belongs to its sequence.
struct SampleRow {
  int index, slotIndex;
  int target;    // token to score instead of a choice, or negative
  int position;  // of the chosen token in its sequence: as many tokens come before it
  const SampleSlot& slot;
  const float* logits;  // [vocabulary]
  float* work;          // [vocabulary]
  u32* counts;          // [vocabulary]
  int* history;         // token ids by position
  const u32* mask;      // bits of the tokens that may be chosen; null: all may

  __device__ __forceinline__ bool is_greedy() const { return !(slot.temperature > 0.f) || slot.topK == 1; }
  __device__ __forceinline__ bool has_penalties() const {
    return slot.repetitionPenalty != 1.f || slot.frequencyPenalty != 0.f || slot.presencePenalty != 0.f;
  }
  // Whether the choice is made among the logits as they are, of the tokens that the mask allows.
  __device__ __forceinline__ bool is_plain() const {
    return (mask == nullptr || !slot.isBeam) && slot.biasCount == 0 && !has_penalties() && slot.badWordCount == 0 &&
           position - slot.promptCount >= slot.minTokens;
  }
  __device__ __forceinline__ bool allows(int id) const {
    return mask == nullptr || (mask[id >> 5] >> (id & 31) & 1u) != 0;
  }
};

__device__ __forceinline__ SampleRow row_of(const SampleArgs& a, int index, int slotIndex) {
  return {index,
          slotIndex,
          a.logitTargets[index],
          a.positions[a.logitTokens[index]] + 1,
          *(const SampleSlot*)(a.slots + (size_t)slotIndex * a.slotBytes),
          a.logits + (size_t)index * a.stride,
          a.work + (size_t)index * a.vocabulary,
          a.counts + (size_t)index * a.vocabulary,
          a.history + (size_t)slotIndex * a.maxSequenceTokens,
          a.logitMasks[index] < 0 ? nullptr : a.masks + (size_t)a.logitMasks[index] * ((a.vocabulary + 31) / 32)};
}

// Scores of a row: the log probability of a token is values[token] - logSum.
struct Scores {
  const float* values;
  float logSum;
};

__device__ __forceinline__ Candidate best_of(const float* values, int count, Scratch& s) {
  return block_best(values, count, s, [](float, int) { return true; });
}

__device__ __forceinline__ Candidate best_allowed(const SampleArgs& a, const SampleRow& row, Scratch& s) {
  return block_best(row.logits, a.vocabulary, s, [&](float, int id) { return row.allows(id); });
}

// Penalties for tokens that the sequence has.
__device__ __forceinline__ void penalise(const SampleArgs& a, const SampleRow& row) {
  const SampleSlot& slot = row.slot;
  // The high half marks the token as seen, the low half counts it in the output.
  for (int i = threadIdx.x; i < row.position; i += SAMPLE_THREADS) {
    atomicOr(&row.counts[row.history[i]], 0x80000000u);
    if (i >= slot.promptCount) atomicAdd(&row.counts[row.history[i]], 1u);
  }
  __syncthreads();
  for (int i = threadIdx.x; i < a.vocabulary; i += SAMPLE_THREADS) {
    if (row.counts[i] == 0) continue;
    const u32 count = row.counts[i] & 0x7fffffffu;
    float value = row.work[i];
    value = value < 0.f ? __fmul_rn(value, slot.repetitionPenalty) : __fdiv_rn(value, slot.repetitionPenalty);
    if (count > 0)
      value = __fsub_rn(__fsub_rn(value, __fmul_rn(slot.frequencyPenalty, (float)count)), slot.presencePenalty);
    row.work[i] = value;
    row.counts[i] = 0;
  }
  __syncthreads();
}

// Forbids the last tokens of bad words, and ends of sequences that are too short. One thread calls it.
__device__ __forceinline__ void forbid(const SampleRow& row) {
  const SampleSlot& slot = row.slot;
  const int* ends = slot.lists() + 2 * slot.biasCount;
  const int* word = ends + slot.endCount;
  for (int w = 0; w < slot.badWordCount; w++, word += word[0] + 1) {
    const int prefix = word[0] - 1;
    bool completes = prefix <= row.position;
    for (int i = 0; completes && i < prefix; i++) completes = word[1 + i] == row.history[row.position - prefix + i];
    if (completes) row.work[word[prefix + 1]] = NOTHING;
  }
  if (row.position - slot.promptCount < slot.minTokens)
    for (int i = 0; i < slot.endCount; i++) row.work[ends[i]] = NOTHING;
}

// Step 0: the row's work becomes logits - logSum where the mask allows a token.
__device__ __forceinline__ void take_allowed(const SampleArgs& a, const SampleRow& row, float logSum) {
  for (int i = threadIdx.x; i < a.vocabulary; i += SAMPLE_THREADS)
    row.work[i] = row.allows(i) ? __fsub_rn(bounded(row.logits[i]), logSum) : NOTHING;
  __syncthreads();
}

// Steps 0 to 5: the row's work becomes the modified values of logits - logSum.
__device__ void modify(const SampleArgs& a, const SampleRow& row, float logSum) {
  const SampleSlot& slot = row.slot;
  take_allowed(a, row, logSum);
  for (int i = threadIdx.x; i < slot.biasCount; i += SAMPLE_THREADS) {
    const int id = slot.lists()[i];
    row.work[id] = __fadd_rn(row.work[id], __int_as_float(slot.lists()[slot.biasCount + i]));
  }
  __syncthreads();
  if (row.has_penalties()) penalise(a, row);
  if (threadIdx.x == 0) forbid(row);
  __syncthreads();
}

// Logarithm of the sum of the exponentials of a row.
__device__ __forceinline__ float log_sum_of(const float* logits, int count, float largest, Scratch& s) {
  float sum = 0.f;
  for (int i = threadIdx.x; i < count; i += SAMPLE_THREADS) sum += expf(bounded(logits[i]) - largest);
  return largest + logf(block_total(sum, s));
}

// The row's next token. Beams are scored by their modified values. `likeliest`, of the tokens that the mask allows, is
// taken where nothing else is possible.
__device__ __forceinline__ int choose_token(const SampleArgs& a, const SampleRow& row, int likeliest, Scores& scores,
                                            Scratch& s) {
  const bool plain = row.is_plain();
  int token = likeliest;
  if (!plain) {
    modify(a, row, row.slot.isBeam ? scores.logSum : 0.f);
    token = best_of(row.work, a.vocabulary, s).id;
    if (row.slot.isBeam && (token >= 0 || row.mask != nullptr)) {
      if (token < 0) take_allowed(a, row, scores.logSum);
      scores = {row.work, 0.f};
    }
  }
  if (token < 0) return likeliest;
  if (row.is_greedy()) return token;
  const float* values = plain ? row.logits : row.work;
  const auto source = [&](int id) { return row.allows(id) ? values[id] : NOTHING; };
  const int drawn = draw(a, row.slot, source, row.work, row.position, s);
  return drawn >= 0 ? drawn : likeliest;
}

// Reports the `wanted` likeliest tokens of a row, and nothing in the places after them.
__device__ __forceinline__ void report_top(const SampleArgs& a, int index, int wanted, const Scores& scores,
                                           Scratch& s) {
  Candidate last{__int_as_float(0x7f800000), -1};
  for (int rank = 0; rank < a.topCount; rank++) {
    if (rank < wanted)
      last = block_best(scores.values, a.vocabulary, s, [&](float value, int id) {
        return value < last.value || (value == last.value && id > last.id);
      });
    else
      last.id = -1;
    if (threadIdx.x == 0) {
      a.outTopIds[(size_t)index * a.topCount + rank] = last.id;
      a.outTopLogprobs[(size_t)index * a.topCount + rank] = last.id < 0 ? NOTHING : last.value - scores.logSum;
    }
    if (last.id < 0) last.value = NOTHING;
  }
}

extern "C" __global__ void __launch_bounds__(SAMPLE_THREADS, 1) sample(const SampleArgs a) {
  __shared__ Scratch s;
  allow_successor();
  wait_predecessor();
  const int index = blockIdx.x, slotIndex = a.rowSlots[a.logitRows[index]];
  if (slotIndex < 0) return;  // a padding row
  const SampleRow row = row_of(a, index, slotIndex);
  const bool isMasked = row.mask != nullptr && row.target < 0;
  const int wanted = row.target < 0 ? row.slot.topCount : row.slot.promptTopCount;
  Scores scores = {row.logits, 0.f};
  // A row with a mask whose log probability nobody wants asks only for the tokens that it allows.
  Candidate likeliest{NOTHING, -1};
  if (wanted >= 0 || !isMasked) likeliest = best_of(row.logits, a.vocabulary, s);
  if (wanted >= 0) scores.logSum = log_sum_of(row.logits, a.vocabulary, likeliest.value, s);
  if (isMasked) likeliest = best_allowed(a, row, s);
  const int token = row.target < 0 ? choose_token(a, row, likeliest.id, scores, s) : row.target;
  float logprob = __int_as_float(0x7fc00000);  // NaN: nobody asked
  if (wanted >= 0 && token >= 0) logprob = bounded(scores.values[token]) - scores.logSum;
  report_top(a, index, wanted, scores, s);
  if (threadIdx.x != 0) return;
  a.outTokens[index] = token;
  a.outLogprobs[index] = logprob;
  if (row.target >= 0) return;
  a.lastTokens[slotIndex] = token;
  // Penalties count tokens of the history by id.
  if (row.position < a.maxSequenceTokens) row.history[row.position] = max(0, token);
}
