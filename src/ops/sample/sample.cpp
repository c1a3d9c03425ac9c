// Chooses tokens from logits. The order of operations is in contract.ts.
#include "cpu-kernel.h"
#include "ops/cpu/pool.h"
#include "philox.h"
#include "slot.h"
#include <algorithm>

ALOFT_DECLARE_LEVELS(int64_t, argmax, (const float*, int64_t))
ALOFT_DECLARE_LEVELS(float, divideAll, (float*, int64_t, float))
ALOFT_DECLARE_LEVELS(void, weigh, (const float*, int64_t, float, float, int32_t*, int64_t*))
ALOFT_DECLARE_LEVELS(double, logSumExp, (const float*, int64_t))
ALOFT_DECLARE_LEVELS(void, largest, (const float*, int64_t, int64_t, int32_t*))

namespace {

using namespace aloft;

// Buckets by distance from the largest value; the last one holds all that is 32 or more away.
constexpr int64_t bucketCount = 2048;
constexpr float bucketsPerUnit = 64;

int64_t bucketOf(float distance) {
  const float scaled = distance * bucketsPerUnit;
  return scaled < bucketCount - 1 ? static_cast<int64_t>(scaled) : bucketCount - 1;
}

// The log probability of token i is values[i] - logSum.
struct Scores {
  const float* values;
  double logSum;
};

class RowSampler {
public:
  // Memory of one thread, by vocabulary.
  static int64_t scratchBytes(int64_t vocabulary) {
    return 4 * vocabulary * sizeof(int32_t) + (chunkCount(vocabulary) + bucketCount) * sizeof(int64_t);
  }

  RowSampler(Isa isa, int64_t vocabulary, void* scratch) : isa(isa), vocabulary(vocabulary) {
    chunkSums = static_cast<int64_t*>(scratch);
    buckets = chunkSums + chunkCount(vocabulary);
    values = reinterpret_cast<float*>(buckets + bucketCount);
    bucketIds = reinterpret_cast<int32_t*>(values + vocabulary);
    weights = bucketIds + vocabulary;
    marks = weights + vocabulary;
  }

  int64_t choose(const SampleSlot& slot, const SampleRow& row, const float* logits) {
    if (slot.isPlain() && slot.isGreedy() && row.mask == 0) return ALOFT_SELECT(isa, argmax)(logits, vocabulary);
    if (slot.isPlain()) {
      std::copy(logits, logits + vocabulary, values);
    } else {
      std::transform(logits, logits + vocabulary, values, bounded);
    }
    applyMask(row);
    if (!slot.isPlain()) modify(slot);
    const int64_t chosen = slot.isGreedy() ? ALOFT_SELECT(isa, argmax)(values, vocabulary) : draw(slot, row.position);
    if (chosen >= 0) return chosen;
    // When everything is forbidden, nothing is but what the mask forbids.
    std::copy(logits, logits + vocabulary, values);
    applyMask(row);
    return ALOFT_SELECT(isa, argmax)(values, vocabulary);
  }

  // Scores that a beam reports: the log probabilities after the processors.
  Scores beamScores(const SampleSlot& slot, const SampleRow& row, Scores model) {
    if (slot.isPlain() && row.mask == 0) return model;
    takeLogProbabilities(model, row);
    modify(slot);
    if (ALOFT_SELECT(isa, argmax)(values, vocabulary) >= 0) return Scores{values, 0};
    if (row.mask == 0) return model;
    takeLogProbabilities(model, row);
    return Scores{values, 0};
  }

private:
  void takeLogProbabilities(Scores model, const SampleRow& row) {
    for (int64_t i = 0; i < vocabulary; i++) values[i] = static_cast<float>(bounded(model.values[i]) - model.logSum);
    applyMask(row);
  }

  // Forbids tokens whose bits are 0. Most words of a mask are all ones or all zeros.
  void applyMask(const SampleRow& row) {
    if (row.mask == 0) return;
    const uint32_t* words = pointer<const uint32_t>(row.mask);
    for (int64_t first = 0; first < vocabulary; first += 32) {
      const uint32_t word = words[first / 32];
      if (word == UINT32_MAX) continue;
      const int64_t end = std::min<int64_t>(first + 32, vocabulary);
      for (int64_t i = first; i < end; i++)
        if ((word >> (i - first) & 1) == 0) values[i] = lowest;
    }
  }

  void modify(const SampleSlot& slot) {
    const int32_t* biasIds = pointer<const int32_t>(slot.biasIds);
    const float* biasValues = pointer<const float>(slot.biasValues);
    for (int64_t i = 0; i < slot.biasCount; i++) values[biasIds[i]] += biasValues[i];
    if (slot.penalises()) penalise(slot);
    forbidBadWords(slot);
    if (slot.forbidsEnd())
      for (int64_t i = 0; i < slot.endIdCount; i++) values[pointer<const int32_t>(slot.endIds)[i]] = lowest;
  }

  // Each token of the history once: marks count its occurrences in the output, plus one.
  void penalise(const SampleSlot& slot) {
    const int32_t* history = pointer<const int32_t>(slot.history);
    const int64_t count = slot.promptCount + slot.outputCount;
    for (int64_t i = 0; i < count; i++) marks[history[i]] = 1;
    for (int64_t i = slot.promptCount; i < count; i++) marks[history[i]]++;
    const float repetition = static_cast<float>(slot.repetitionPenalty);
    const float presence = static_cast<float>(slot.presencePenalty);
    const float frequency = static_cast<float>(slot.frequencyPenalty);
    for (int64_t i = 0; i < count; i++) {
      int32_t& mark = marks[history[i]];
      if (mark == 0) continue;
      float& value = values[history[i]];
      value = value < 0 ? value * repetition : value / repetition;
      if (mark > 1) value = value - frequency * static_cast<float>(mark - 1) - presence;
      mark = 0;
    }
  }

  void forbidBadWords(const SampleSlot& slot) {
    const int32_t* history = pointer<const int32_t>(slot.history);
    const int64_t count = slot.promptCount + slot.outputCount;
    const int32_t* word = pointer<const int32_t>(slot.badWords);
    for (int64_t i = 0; i < slot.badWordCount; i++) {
      const int64_t prefix = *word++ - 1;
      if (prefix <= count && std::equal(word, word + prefix, history + count - prefix)) values[word[prefix]] = lowest;
      word += prefix + 1;
    }
  }

  int64_t draw(const SampleSlot& slot, int64_t position) {
    const float max = ALOFT_SELECT(isa, divideAll)(values, vocabulary, static_cast<float>(slot.temperature));
    if (max == lowest) return -1;
    float threshold = lowest;
    if (slot.topK > 0 && slot.topK < vocabulary) threshold = topKThreshold(max, slot.topK);
    ALOFT_SELECT(isa, weigh)(values, vocabulary, max, threshold, weights, chunkSums);
    float tighter = threshold;
    if (slot.topP < 1) tighter = std::max(tighter, topPThreshold(max, slot.topP));
    if (slot.minP > 0) tighter = std::max(tighter, max + std::log(static_cast<float>(slot.minP)));
    tighter = std::min(tighter, max);  // the largest value stays, whatever the parameters are
    if (tighter > threshold) ALOFT_SELECT(isa, weigh)(values, vocabulary, max, tighter, weights, chunkSums);
    return tokenAt(mulHigh(philox(slot.seed, static_cast<uint32_t>(position)), totalWeight()));
  }

  int64_t totalWeight() const {
    int64_t total = 0;
    for (int64_t chunk = 0; chunk < chunkCount(vocabulary); chunk++) total += chunkSums[chunk];
    return total;
  }

  // floor(random * total / 2^64), uniform in [0, total).
  static int64_t mulHigh(uint64_t random, int64_t total) {
    return static_cast<int64_t>(static_cast<unsigned __int128>(random) * static_cast<uint64_t>(total) >> 64);
  }

  // The token whose interval of the weights' running sum, in the order of ids, holds `point`; -1 when there is none.
  int64_t tokenAt(int64_t point) const {
    int64_t chunk = 0;
    for (; chunk < chunkCount(vocabulary) && point >= chunkSums[chunk]; chunk++) point -= chunkSums[chunk];
    int64_t id = chunk * chunkTokens;
    for (; id < vocabulary && point >= weights[id]; id++) point -= weights[id];
    return id < vocabulary ? id : -1;
  }

  // The k-th largest value.
  float topKThreshold(float max, int64_t k) {
    std::fill(buckets, buckets + bucketCount, 0);
    for (int64_t i = 0; i < vocabulary; i++) buckets[bucketOf(max - values[i])]++;
    int64_t bucket = 0, before = 0;
    for (; before + buckets[bucket] < k; bucket++) before += buckets[bucket];
    int32_t* end = collectBucket(max, bucket, [](int64_t) { return true; });
    int32_t* ranked = bucketIds + (k - 1 - before);
    std::nth_element(bucketIds, ranked, end, [&](int32_t a, int32_t b) { return values[a] > values[b]; });
    return values[*ranked];
  }

  // The lowest value such that all larger ones together weigh less than `share` of the total.
  float topPThreshold(float max, double share) {
    std::fill(buckets, buckets + bucketCount, 0);
    for (int64_t i = 0; i < vocabulary; i++)
      if (weights[i] > 0) buckets[bucketOf(max - values[i])] += weights[i];
    const double target = share * static_cast<double>(totalWeight());
    const auto isBelow = [&](int64_t weight) { return static_cast<double>(weight) < target; };
    int64_t bucket = 0, before = 0;
    for (; bucket < bucketCount - 1 && isBelow(before + buckets[bucket]); bucket++) before += buckets[bucket];
    int32_t* end = collectBucket(max, bucket, [&](int64_t id) { return weights[id] > 0; });
    std::sort(bucketIds, end, [&](int32_t a, int32_t b) { return values[a] > values[b]; });
    float threshold = max;
    for (int32_t* id = bucketIds; id < end && isBelow(before); id++) {
      threshold = values[*id];
      before += weights[*id];
    }
    return threshold;
  }

  // Ids of the accepted tokens of a bucket, into bucketIds.
  template <typename F> int32_t* collectBucket(float max, int64_t bucket, F&& accepts) {
    int32_t* end = bucketIds;
    for (int64_t id = 0; id < vocabulary; id++)
      if (bucketOf(max - values[id]) == bucket && accepts(id)) *end++ = static_cast<int32_t>(id);
    return end;
  }

  const Isa isa;
  const int64_t vocabulary;
  int64_t* chunkSums;
  int64_t* buckets;
  float* values;
  int32_t* bucketIds;
  int32_t* weights;
  int32_t* marks;
};

}  // namespace

// Samples or scores each row of logits.  logits [rows, logitStride] f32, of which `vocabulary` columns count
// tokenIds [rows] i32: the token, -1 where no logit is a number above minus infinity
// logprobs [rows] f32; topIds [rows, topStride] i32 and topLogprobs [rows, topStride] f32, filled to the row's topCount
ALOFT_API void aloft_sample(uint64_t poolAddress, uint64_t logitsAddress, int64_t logitStride, int64_t vocabulary,
                            uint64_t rowsAddress, int64_t rowCount, int64_t topStride, uint64_t tokenIdsAddress,
                            uint64_t logprobsAddress, uint64_t topIdsAddress, uint64_t topLogprobsAddress) {
  Pool* pool = pointer<Pool>(poolAddress);
  const Isa isa = poolIsa(pool);
  const SampleRow* rows = pointer<const SampleRow>(rowsAddress);
  parallel(pool, [&](Team& team) {
    RowSampler sampler(isa, vocabulary, poolScratch(pool, team.thread, RowSampler::scratchBytes(vocabulary)));
    const auto [begin, end] = team.range(rowCount);
    for (int64_t i = begin; i < end; i++) {
      const SampleRow& row = rows[i];
      const SampleSlot& slot = *pointer<const SampleSlot>(row.slot);
      const float* logits = pointer<const float>(logitsAddress) + i * logitStride;
      const bool isBeam = row.target < 0 && slot.isBeam;
      Scores scores{logits, 0};
      if (row.topCount >= 0 || isBeam) scores.logSum = ALOFT_SELECT(isa, logSumExp)(logits, vocabulary);
      if (isBeam) scores = sampler.beamScores(slot, row, scores);
      const int64_t token = row.target >= 0 ? row.target
                            : isBeam        ? ALOFT_SELECT(isa, argmax)(scores.values, vocabulary)
                                            : sampler.choose(slot, row, logits);
      pointer<int32_t>(tokenIdsAddress)[i] = static_cast<int32_t>(token);
      if (row.topCount < 0 || token < 0) continue;
      pointer<float>(logprobsAddress)[i] = static_cast<float>(bounded(scores.values[token]) - scores.logSum);
      int32_t* ids = pointer<int32_t>(topIdsAddress) + i * topStride;
      float* logprobs = pointer<float>(topLogprobsAddress) + i * topStride;
      ALOFT_SELECT(isa, largest)(scores.values, vocabulary, row.topCount, ids);
      for (int64_t rank = 0; rank < row.topCount && ids[rank] >= 0; rank++)
        logprobs[rank] = static_cast<float>(bounded(scores.values[ids[rank]]) - scores.logSum);
    }
  });
}
