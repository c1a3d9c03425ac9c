// Slots and rows as the sampling kernel sees them. The tables in cpu.ts name the fields; a test compares them.
#pragma once
#include "ops/cpu/api.h"

namespace aloft {

// Sampling parameters of one sequence and what they depend on.
struct SampleSlot {
  uint64_t history;  // i32 [historyCount], prompt then output; kept only where penalties or bad words need it
  int64_t promptCount;
  int64_t outputCount;
  uint64_t biasIds;     // i32 [biasCount]
  uint64_t biasValues;  // f32 [biasCount]
  int64_t biasCount;
  uint64_t badWords;  // i32: for each of badWordCount sequences its length and its ids
  int64_t badWordCount;
  uint64_t endIds;  // i32 [endIdCount]
  int64_t endIdCount;
  int64_t minTokens;
  int64_t topK;
  uint64_t seed;
  double temperature, topP, minP, repetitionPenalty, presencePenalty, frequencyPenalty;
  int64_t isBeam;  // 1: scores are wanted instead of a choice

  // A temperature that is not above 0, as a float, is 0.
  bool isGreedy() const { return !(static_cast<float>(temperature) > 0) || topK == 1; }
  bool penalises() const { return repetitionPenalty != 1 || presencePenalty != 0 || frequencyPenalty != 0; }
  bool forbidsEnd() const { return outputCount < minTokens && endIdCount > 0; }
  // Whether the logits are taken as they are, but for the temperature.
  bool isPlain() const { return biasCount == 0 && !penalises() && badWordCount == 0 && !forbidsEnd(); }
};

// One row of logits.
struct SampleRow {
  uint64_t slot;     // SampleSlot
  int64_t position;  // of the token to be sampled, in its sequence
  int64_t target;    // token to score instead of sampling, or -1
  int64_t topCount;  // most likely tokens to report; -1 reports no log probabilities
  uint64_t mask;     // u32 [vocabulary / 32] bits of the tokens that may be sampled; 0: all may
};

}  // namespace aloft
