// What the sampling kernel reads and writes.
#pragma once
#include "cuda/types.cuh"

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
