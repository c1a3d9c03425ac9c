// Scores of attention are in powers of two, so that exp2f makes weights of them.
#pragma once
#include "cuda/soft-cap.cuh"

// Score of a key that a query does not see. It is finite, so that the difference of two scores is a number.
#define MASKED_SCORE (-1e30f)

// Factor from a product of query and key to a score.
__device__ __forceinline__ float score_scale() { return rsqrtf((float)HEAD_DIM) * 1.44269504f; }

// The score as the model wants it. SOFT_CAP: see AttentionScores in plan/ops.
__device__ __forceinline__ float capped_score(float score) {
#ifdef SOFT_CAP
  return soft_capped(score, 1.44269504f * (float)(SOFT_CAP));
#else
  return score;
#endif
}

// First of the tokens that the token at a position sees. HAS_WINDOW: some layer has a window; one of 0 hides nothing.
__device__ __forceinline__ int first_visible(int position, int window) {
#ifdef HAS_WINDOW
  return window > 0 ? max(0, position + 1 - window) : 0;
#else
  return 0;
#endif
}

// Whether a token lies in a window that begins with `first`.
__device__ __forceinline__ bool in_window(int token, int first) {
#ifdef HAS_WINDOW
  return token >= first;
#else
  return true;
#endif
}
