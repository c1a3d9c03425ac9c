#include "cpu-kernel.h"
#include "ops/cpu/pool.h"

ALOFT_DECLARE_LEVELS(void, ropeAppendToken,
                     (const aloft::KvLayout&, uint64_t, float*, int64_t, const float*, const float*, int64_t, int64_t))

// Rotates q and k of qkv in place and appends k and v to one layer of the cache. qkv [tokens, (heads + 2 kvHeads) *
// headDim] f32; rotations [rows, 2]: addresses of cosines and sines [positions, headDim / 2] f32
ALOFT_API void aloft_rope_append(uint64_t poolAddress, uint64_t stepAddress, uint64_t layoutAddress,
                                 uint64_t layerAddress, uint64_t qkvAddress, int64_t heads, uint64_t rotationsAddress) {
  using namespace aloft;
  Pool* pool = pointer<Pool>(poolAddress);
  const StepView& step = *pointer<const StepView>(stepAddress);
  const KvLayout& layout = *pointer<const KvLayout>(layoutAddress);
  const int64_t columns = (heads + 2 * layout.kvHeadCount) * layout.headDim;
  const int64_t pairs = layout.headDim / 2;
  const auto append = ALOFT_SELECT(poolIsa(pool), ropeAppendToken);
  parallelFor(pool, step.tokenCount, 4, [&](int64_t begin, int64_t end) {
    int64_t row = step.rowOf(begin);
    for (int64_t token = begin; token < end; token++) {
      while (token >= step.rowOffsets()[row + 1]) row++;
      const int64_t position = step.positions()[token];
      const int64_t block = step.blockTable(row)[position / layout.blockTokens];
      const uint64_t* rotation = pointer<const uint64_t>(rotationsAddress) + 2 * row;
      append(layout, layerAddress, pointer<float>(qkvAddress) + token * columns, heads,
             pointer<const float>(rotation[0]) + position * pairs, pointer<const float>(rotation[1]) + position * pairs,
             block, position % layout.blockTokens);
    }
  });
}
