// int8 weights with AMX: signed bytes by signed bytes.
#include "amx.h"
#include "quantise.h"

namespace aloft {
namespace {

struct Int8Weights : PackedWeights {
  static constexpr AmxType type = AmxType::int8;
  static constexpr int64_t stepInputs = 64;

  void store(const LinearCall& call, const PreparedBlock& block, int64_t group, int64_t tile,
             const uint8_t* sums) const {
    const auto* rows = reinterpret_cast<const int32_t (*)[tileRows]>(sums);
    const int64_t t = group * rowGroupTokens;
    for (int64_t i = 0; i < rowGroupTokens && t + i < block.tokenCount; i++)
      storeHighLow(call, block, t + i, tile, rows[2 * i], rows[2 * i + 1]);
  }
};

int64_t groupTokens(int64_t) { return rowGroupTokens; }

void prepare(const LinearCall& call, const PreparedBlock& block, int64_t first, int64_t last) {
  quantiseToBytes(call, block, first, last, 0);
}

void multiply(const LinearCall& call, const PreparedBlock& block, int64_t firstTile, int64_t lastTile) {
  multiplyAmx(call, block, firstTile, lastTile, Int8Weights{});
}

}  // namespace

const LinearKernel int8Amx = {2, groupTokens, prepare, multiply};

}  // namespace aloft
