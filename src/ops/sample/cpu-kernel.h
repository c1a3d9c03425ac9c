// Passes of sampling over a whole vocabulary, compiled for each instruction set. NaN counts as minus infinity, plus
// infinity as the largest number.
#pragma once
#include "ops/cpu/simd.h"
#include "vocabulary.h"

namespace aloft::ALOFT_ISA {

inline F32x16 bounded(F32x16 value) {
  return min(broadcast(highest), select(value > broadcast(-infinity), value, broadcast(-infinity)));
}

inline F32x16 loadBounded(const float* from, int64_t count) {
  if (count >= lanes) return bounded(load(from));
  return select(laneIndex() < broadcast(static_cast<float>(count)), bounded(loadPartial(from, count)),
                broadcast(-infinity));
}

// The lowest id among the largest values; -1 when there is none above minus infinity.
int64_t argmax(const float* values, int64_t vocabulary) {
  float best = -infinity;
  int64_t bestChunk = -1;
  for (int64_t chunk = 0; chunk < vocabulary; chunk += chunkTokens) {
    const int64_t end = chunk + chunkTokens < vocabulary ? chunk + chunkTokens : vocabulary;
    F32x16 max16 = broadcast(-infinity);
    for (int64_t i = chunk; i < end; i += lanes) max16 = max(max16, loadBounded(values + i, end - i));
    const float chunkMax = reduceMax(max16);
    if (chunkMax > best) {
      best = chunkMax;
      bestChunk = chunk;
    }
  }
  if (bestChunk < 0) return -1;
  int64_t id = bestChunk;
  while (!(values[id] >= best)) id++;  // plus infinity counts as `best`, NaN as nothing
  return id;
}

// values /= temperature in place, bounded before and after; returns the largest.
float divideAll(float* values, int64_t vocabulary, float temperature) {
  const F32x16 divisor = broadcast(temperature);
  F32x16 max16 = broadcast(-infinity);
  for (int64_t i = 0; i < vocabulary; i += lanes) {
    const int64_t count = vocabulary - i < lanes ? vocabulary - i : lanes;
    const F32x16 scaled = bounded(loadBounded(values + i, count) / divisor);
    storePartial(values + i, scaled, count);
    max16 = max(max16, scaled);
  }
  return reduceMax(max16);
}

// weights[i] = round(exp(values[i] - max) * weightOne), or 0 below `threshold`; their sums per chunk.
void weigh(const float* values, int64_t vocabulary, float max, float threshold, int32_t* weights, int64_t* chunkSums) {
  const F32x16 shift = broadcast(max), lowest = broadcast(threshold), one = broadcast(weightOne),
               zero = broadcast(0.0f);
  for (int64_t chunk = 0; chunk < vocabulary; chunk += chunkTokens) {
    const int64_t end = chunk + chunkTokens < vocabulary ? chunk + chunkTokens : vocabulary;
    for (int64_t i = chunk; i < end; i += lanes) {
      const F32x16 value = loadBounded(values + i, end - i);
      const F32x16 weight = select(value < lowest, zero, exp(value - shift) * one);
      if (end - i >= lanes) {
        storeInt32(weights + i, weight);
        continue;
      }
      int32_t last[lanes];
      storeInt32(last, weight);
      for (int64_t j = i; j < end; j++) weights[j] = last[j - i];
    }
    int64_t sum = 0;
    for (int64_t i = chunk; i < end; i++) sum += weights[i];
    chunkSums[chunk / chunkTokens] = sum;
  }
}

// ln(sum of exp(values)); sums of chunks in f32, of chunks' sums in f64.
double logSumExp(const float* values, int64_t vocabulary) {
  const int64_t best = argmax(values, vocabulary);
  if (best < 0) return -infinity;
  const float largest = aloft::bounded(values[best]);
  const F32x16 shift = broadcast(largest);
  double total = 0;
  for (int64_t chunk = 0; chunk < vocabulary; chunk += chunkTokens) {
    const int64_t end = chunk + chunkTokens < vocabulary ? chunk + chunkTokens : vocabulary;
    F32x16 sum16 = broadcast(0.0f);
    for (int64_t i = chunk; i < end; i += lanes) sum16 = sum16 + exp(loadBounded(values + i, end - i) - shift);
    total += reduceAdd(sum16);
  }
  return largest + std::log(total);
}

// Ids of the `count` largest values, largest first, equal values by id; -1 where there are fewer above minus infinity.
void largest(const float* values, int64_t vocabulary, int64_t count, int32_t* ids) {
  for (int64_t rank = 0; rank < count; rank++) ids[rank] = -1;
  const auto at = [&](int64_t id) { return aloft::bounded(values[id]); };
  const auto insert = [&](int64_t id) {
    int64_t rank = count - 1;
    for (; rank > 0 && (ids[rank - 1] < 0 || at(ids[rank - 1]) < at(id)); rank--) ids[rank] = ids[rank - 1];
    ids[rank] = static_cast<int32_t>(id);
  };
  const auto worst = [&] { return ids[count - 1] < 0 ? -infinity : at(ids[count - 1]); };
  for (int64_t i = 0; i < vocabulary && count > 0; i += lanes) {
    if (!any(loadBounded(values + i, vocabulary - i) > broadcast(worst()))) continue;
    for (int64_t id = i; id < vocabulary && id < i + lanes; id++)
      if (at(id) > worst()) insert(id);
  }
}

}  // namespace aloft::ALOFT_ISA
