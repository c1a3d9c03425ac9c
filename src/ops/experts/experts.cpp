// Mixtures of experts on the CPU: the tokens of each expert are brought together and go through its matrices at once.
#include "ops/linear/cpu/linear.h"
#include "ops/cpu/levels.h"
#include "ops/cpu/pool.h"
#include <cmath>
#include <cstring>
#include <memory>
#include <vector>

ALOFT_DECLARE_LEVELS(void, swigluSpan, (const float*, const float*, float*, int64_t))

namespace {

using namespace aloft;

// A token and which of its experts is meant.
struct Pair {
  int64_t token, slot;
};

// The pairs of each expert, tokens ascending.  routes [tokens, 2 * perToken]
std::vector<std::vector<Pair>> pairsOfExperts(const float* routes, int64_t tokens, int64_t perToken, int64_t experts) {
  std::vector<std::vector<Pair>> pairs(experts);
  for (int64_t token = 0; token < tokens; token++)
    for (int64_t slot = 0; slot < perToken; slot++)
      pairs[static_cast<int64_t>(routes[token * 2 * perToken + slot])].push_back({token, slot});
  return pairs;
}

// Matrices of all experts in one packed weight; those of an expert are whole tiles.
struct ExpertWeights {
  LinearFormat format;
  int64_t group;
  int64_t inCount, outCount;  // of one expert
  uint64_t weight, scale, sum, zero;

  // x [tokens, inCount], out [tokens, outCount]
  void multiply(uint64_t pool, int64_t expert, int64_t tokens, const float* x, float* out) const {
    const int64_t rows = expert * outCount;
    const uint64_t tiles = weight + rows / tileRows * tileBytes(format, paddedInput(format, inCount));
    const int64_t groups = group == 0 ? 0 : (inCount + group - 1) / group;
    const uint64_t offset = format == LinearFormat::int8 || format == LinearFormat::fp8 ? rows * 4 : 0;
    aloft_linear(pool, static_cast<int>(format), group, tokens, inCount, outCount, mostInputBits,
                 reinterpret_cast<uintptr_t>(x), tiles, scale + offset + rows * groups * 2, sum + offset,
                 zero == 0 ? 0 : zero + rows * groups, 0, 0, reinterpret_cast<uintptr_t>(out));
  }
};

std::unique_ptr<float[]> floats(int64_t count) { return std::unique_ptr<float[]>(new float[count]); }

}  // namespace

// Chooses the experts of each token.  logits [tokens, experts] f32 -> out [tokens, 2 * perToken] f32
ALOFT_API void aloft_route(uint64_t poolAddress, uint64_t logitsAddress, uint64_t outAddress, int64_t tokens,
                           int64_t experts, int64_t perToken, int normalises) {
  parallelFor(pointer<Pool>(poolAddress), tokens, 16, [&](int64_t begin, int64_t end) {
    std::vector<bool> chosen(experts);
    for (int64_t token = begin; token < end; token++) {
      const float* logits = pointer<const float>(logitsAddress) + token * experts;
      float* out = pointer<float>(outAddress) + token * 2 * perToken;
      chosen.assign(experts, false);
      float largest = -INFINITY;
      for (int64_t slot = 0; slot < perToken; slot++) {
        int64_t best = -1;
        for (int64_t e = 0; e < experts; e++)
          if (!chosen[e] && (best < 0 || logits[e] > logits[best])) best = e;
        chosen[best] = true;
        if (slot == 0) largest = logits[best];
      }
      double total = 0, kept = 0;
      for (int64_t e = 0; e < experts; e++) {
        const double weight = std::exp(static_cast<double>(logits[e]) - largest);
        total += weight;
        if (chosen[e]) kept += weight;
      }
      for (int64_t e = 0, slot = 0; e < experts; e++) {
        if (!chosen[e]) continue;
        out[slot] = static_cast<float>(e);
        out[perToken + slot++] =
            static_cast<float>(std::exp(static_cast<double>(logits[e]) - largest) / (normalises ? kept : total));
      }
    }
  });
}

// x [tokens, in] f32, routes [tokens, 2 * perToken] f32, packed weight [experts * 2 * inter, in]
// -> out [tokens, perToken * inter] f32
ALOFT_API void aloft_expert_gate_up(uint64_t poolAddress, uint64_t xAddress, uint64_t routesAddress, int format,
                                    int64_t group, uint64_t weight, uint64_t scale, uint64_t sum, uint64_t zero,
                                    uint64_t outAddress, int64_t tokens, int64_t in, int64_t inter, int64_t experts,
                                    int64_t perToken) {
  const ExpertWeights weights = {static_cast<LinearFormat>(format), group, in, 2 * inter, weight, scale, sum, zero};
  const float* x = pointer<const float>(xAddress);
  float* out = pointer<float>(outAddress);
  const auto span = ALOFT_SELECT(poolIsa(pointer<Pool>(poolAddress)), swigluSpan);
  const auto pairs = pairsOfExperts(pointer<const float>(routesAddress), tokens, perToken, experts);
  const auto rows = floats(tokens * in), gateUp = floats(tokens * 2 * inter);
  for (int64_t expert = 0; expert < experts; expert++) {
    const std::vector<Pair>& own = pairs[expert];
    if (own.empty()) continue;
    for (size_t i = 0; i < own.size(); i++) std::memcpy(rows.get() + i * in, x + own[i].token * in, in * sizeof(float));
    weights.multiply(poolAddress, expert, own.size(), rows.get(), gateUp.get());
    for (size_t i = 0; i < own.size(); i++) {
      const float* gate = gateUp.get() + i * 2 * inter;
      span(gate, gate + inter, out + (own[i].token * perToken + own[i].slot) * inter, inter);
    }
  }
}

// gated [tokens, perToken * inter] f32, routes [tokens, 2 * perToken] f32, packed weight [experts * columns, inter]
// -> out [tokens, columns] f32. Experts are added in ascending order, so that a token's bits do not depend on others.
ALOFT_API void aloft_expert_down(uint64_t poolAddress, uint64_t gatedAddress, uint64_t routesAddress, int format,
                                 int64_t group, uint64_t weight, uint64_t scale, uint64_t sum, uint64_t zero,
                                 uint64_t outAddress, int64_t tokens, int64_t inter, int64_t columns, int64_t experts,
                                 int64_t perToken) {
  const ExpertWeights weights = {static_cast<LinearFormat>(format), group, inter, columns, weight, scale, sum, zero};
  const float *gated = pointer<const float>(gatedAddress), *routes = pointer<const float>(routesAddress);
  float* out = pointer<float>(outAddress);
  const auto pairs = pairsOfExperts(routes, tokens, perToken, experts);
  const auto rows = floats(tokens * inter), results = floats(tokens * columns);
  std::memset(out, 0, tokens * columns * sizeof(float));
  for (int64_t expert = 0; expert < experts; expert++) {
    const std::vector<Pair>& own = pairs[expert];
    if (own.empty()) continue;
    for (size_t i = 0; i < own.size(); i++)
      std::memcpy(rows.get() + i * inter, gated + (own[i].token * perToken + own[i].slot) * inter,
                  inter * sizeof(float));
    weights.multiply(poolAddress, expert, own.size(), rows.get(), results.get());
    for (size_t i = 0; i < own.size(); i++) {
      const float share = routes[own[i].token * 2 * perToken + perToken + own[i].slot];
      float* to = out + own[i].token * columns;
      for (int64_t c = 0; c < columns; c++) to[c] += share * results[i * columns + c];
    }
  }
}
