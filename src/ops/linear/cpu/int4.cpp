#include "int4.h"

namespace aloft {
namespace {

int64_t groupTokens(int64_t) { return 1; }

void prepare(const LinearCall& call, const PreparedBlock& block, int64_t first, int64_t last) {
  prepareGroupWords(call, block, first, last);
}

void multiplyTile(const LinearCall& call, const PreparedBlock& block, int64_t t, int64_t tile) {
  const int16_t* x = reinterpret_cast<const int16_t*>(block.activations) + t * call.paddedIn;
  const uint8_t* weight = tileAt(call, tile);
  const int64_t groups = groupCount(call);
  float sums[tileRows] = {};
  for (int64_t g = 0; g < groups; g++) {
    int32_t dots[tileRows] = {};  // 128 * 15 * 32639 fits
    for (int64_t k = g * call.group; k < groupEnd(call, g); k += 8, weight += 64) {
      for (int64_t row = 0; row < tileRows; row++) {
        for (int64_t i = 0; i < 4; i++) {
          const uint8_t codes = weight[row * 4 + i];
          dots[row] += (codes & 15) * x[k + i] + (codes >> 4) * x[k + 4 + i];
        }
      }
    }
    const int64_t at = (tile * groups + g) * tileRows;
    for (int64_t row = 0; row < tileRows; row++) {
      const int32_t zero = call.groupZero == nullptr ? 8 : call.groupZero[at + row];
      const int32_t dot = dots[row] - zero * block.groupSum[t * groups + g];
      sums[row] += static_cast<float>(dot) * halfToFloat(call.groupScale[at + row]);
    }
  }
  storeSums(call, block, t, tile, sums);
}

void multiply(const LinearCall& call, const PreparedBlock& block, int64_t firstTile, int64_t lastTile) {
  for (int64_t tile = firstTile; tile < lastTile; tile++) {
    for (int64_t t = 0; t < block.tokenCount; t++) multiplyTile(call, block, t, tile);
  }
}

}  // namespace

const LinearKernel int4Portable = {2, groupTokens, prepare, multiply};

}  // namespace aloft
