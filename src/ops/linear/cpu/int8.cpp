#include "quantise.h"

namespace aloft {
namespace {

int64_t groupTokens(int64_t) { return 1; }

void prepare(const LinearCall& call, const PreparedBlock& block, int64_t first, int64_t last) {
  quantiseToWords(call, block, first, last);
}

// 512 * 127 * 32639 is just below 2^31: so many products fit into 32 bits.
constexpr int64_t chunkInputs = 512;

void multiplyTile(const LinearCall& call, const PreparedBlock& block, int64_t t, int64_t tile) {
  const int16_t* x = reinterpret_cast<const int16_t*>(block.activations) + t * call.paddedIn;
  const int8_t* weight = reinterpret_cast<const int8_t*>(tileAt(call, tile));
  int64_t totals[tileRows] = {};
  for (int64_t chunk = 0; chunk < call.paddedIn; chunk += chunkInputs) {
    const int64_t end = chunk + chunkInputs < call.paddedIn ? chunk + chunkInputs : call.paddedIn;
    int32_t sums[tileRows] = {};
    for (int64_t k = chunk; k < end; k += 4) {
      for (int64_t row = 0; row < tileRows; row++) {
        for (int64_t i = 0; i < 4; i++) sums[row] += weight[k * tileRows + row * 4 + i] * x[k + i];
      }
    }
    for (int64_t row = 0; row < tileRows; row++) totals[row] += sums[row];
  }
  storeTotals(call, block, t, tile, totals);
}

void multiply(const LinearCall& call, const PreparedBlock& block, int64_t firstTile, int64_t lastTile) {
  for (int64_t tile = firstTile; tile < lastTile; tile++) {
    for (int64_t t = 0; t < block.tokenCount; t++) multiplyTile(call, block, t, tile);
  }
}

}  // namespace

const LinearKernel int8Portable = {2, groupTokens, prepare, multiply};

}  // namespace aloft
