#include "ops/cpu/api.h"
#include "ops/cpu/levels.h"
#include "ops/cpu/pool.h"

ALOFT_DECLARE_LEVELS(void, rmsNormRow, (float*, const float*, const float*, float*, int64_t, float))

// RMSNorm of each query and key head, in place.  qkv [tokens, (heads + 2 kvHeads) * headDim] f32, weights [headDim] f32
ALOFT_API void aloft_head_norm(uint64_t poolAddress, uint64_t qkvAddress, uint64_t queryWeightAddress,
                               uint64_t keyWeightAddress, int64_t tokens, int64_t heads, int64_t kvHeads,
                               int64_t headDim, double epsilon) {
  using namespace aloft;
  Pool* pool = pointer<Pool>(poolAddress);
  float* qkv = pointer<float>(qkvAddress);
  const float *queryWeight = pointer<const float>(queryWeightAddress),
              *keyWeight = pointer<const float>(keyWeightAddress);
  const auto norm = ALOFT_SELECT(poolIsa(pool), rmsNormRow);
  parallelFor(pool, tokens, 4, [&](int64_t begin, int64_t end) {
    for (int64_t token = begin; token < end; token++) {
      float* at = qkv + token * (heads + 2 * kvHeads) * headDim;
      for (int64_t head = 0; head < heads + kvHeads; head++, at += headDim)
        norm(at, nullptr, head < heads ? queryWeight : keyWeight, at, headDim, static_cast<float>(epsilon));
    }
  });
}
