// Scores of attention are in powers of two, so that exp2f makes weights of them.
#pragma once

// Score of a key that a query does not see. It is finite, so that the difference of two scores is a number.
#define MASKED_SCORE (-1e30f)

// Factor from a product of query and key to a score.
__device__ __forceinline__ float score_scale() { return rsqrtf((float)HEAD_DIM) * 1.44269504f; }
