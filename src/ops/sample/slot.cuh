// Structs that the sampling kernel takes and reads.
#pragma once
#include "cuda/types.cuh"

// Sampling parameters of a sequence. Its lists follow: [biasCount] ids, [biasCount] f32 values, [endCount] ids, then
// per bad word its length and its ids.
struct SampleSlot {
  double topP;
  u64 seed;
  float temperature, logMinP, repetitionPenalty, frequencyPenalty, presencePenalty;
  int topK, minTokens, promptCount;
  int topCount, promptTopCount;  // likeliest tokens to report; -1 reports no log probabilities
  int biasCount, badWordCount, endCount;
  int isBeam;  // 1: scores are wanted instead of a choice

  __device__ __forceinline__ const int* lists() const { return (const int*)(this + 1); }
};

struct SampleArgs {
  const float* logits;      // [logits, stride], of which vocabulary count
  float* work;              // [logits, vocabulary]
  u32* counts;              // [logits, vocabulary], zero between launches
  const u8* slots;          // [slots, slotBytes]
  int* lastTokens;          // [slots]
  int* history;             // [slots, maxSequenceTokens] token ids by position
  const int* logitRows;     // [logits]
  const int* logitTokens;   // [logits]
  const int* logitTargets;  // [logits]
  const int* rowSlots;      // [rows]
  const int* positions;     // [tokens]
  const int* logitMasks;    // [logits] number of the row's mask; -1: any token may be sampled
  const u32* masks;         // [masks, vocabulary / 32] one bit a token
  int* outTokens;           // [logits]
  float* outLogprobs;       // [logits]
  int* outTopIds;           // [logits, topCount]
  float* outTopLogprobs;    // [logits, topCount]
  int vocabulary, stride, slotBytes, maxSequenceTokens, topCount;
};
