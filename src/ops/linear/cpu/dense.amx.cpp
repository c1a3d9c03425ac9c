// f16, bf16 and fp8 weights with AMX, which multiplies bf16 and adds in f32. Nothing is rounded to bf16 that has more
// bits: activations become the sum of two bf16 (16 significant bits, where f32 has 24), f16 weights too (exactly: 8 + 3
// bits). fp8 weights have 4 bits, and become one bf16.
#include "amx.h"
#include "vector.h"

namespace aloft {
namespace {

int64_t groupTokens(int64_t) { return rowGroupTokens; }

// Row 2t: the values of token t in bf16; row 2t + 1: what is left of them.
void prepare(const LinearCall& call, const PreparedBlock& block, int64_t first, int64_t last) {
  for (int64_t t = first; t < last; t++) {
    const float* x = call.x + (block.firstToken + t) * call.inCount;
    uint16_t* row = reinterpret_cast<uint16_t*>(groupRows(call, block, t, 4));
    for (int64_t k = 0; k < call.paddedIn; k += 32, row += registerBytes / 2) {
      alignas(64) float values[32] = {};
      std::memcpy(values, x + k, (call.inCount - k < 32 ? call.inCount - k : 32) * sizeof(float));
      for (int i = 0; i < 32; i++) {
        row[i] = floatToBfloat16(values[i]);
        row[32 + i] = floatToBfloat16(values[i] - bfloat16ToFloat(row[i]));
      }
    }
  }
}

void storeRows(const LinearCall& call, const PreparedBlock& block, int64_t group, int64_t tile, const uint8_t* sums) {
  const auto* rows = reinterpret_cast<const float (*)[tileRows]>(sums);
  const int64_t t = group * rowGroupTokens;
  for (int64_t i = 0; i < rowGroupTokens && t + i < block.tokenCount; i++) {
    alignas(64) float results[tileRows];
    for (int64_t row = 0; row < tileRows; row++) results[row] = rows[2 * i][row] + rows[2 * i + 1][row];
    if (call.format == LinearFormat::fp8) scaleRows(call, tile, 1, results);
    storeTile(call, block.firstToken + t + i, tile, results);
  }
}

struct Bf16Weights : PackedWeights {
  static constexpr AmxType type = AmxType::bf16;
  static constexpr int64_t stepInputs = 32;

  void store(const LinearCall& call, const PreparedBlock& block, int64_t group, int64_t tile,
             const uint8_t* sums) const {
    storeRows(call, block, group, tile, sums);
  }
};

// Two inputs of 16 rows, as pairs of bf16: the upper 16 bits, and what they leave.
ALOFT_INLINE void splitPair(const uint8_t* halves, uint8_t* high, uint8_t* low) {
  const __m512i upper = _mm512_set1_epi32(static_cast<int>(0xffff0000));
  const __m512 even = _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(halves)));
  const __m512 odd = _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(halves + 32)));
  const __m512i evenHigh = _mm512_and_si512(_mm512_castps_si512(even), upper);
  const __m512i oddHigh = _mm512_and_si512(_mm512_castps_si512(odd), upper);
  const __m512i evenLow = _mm512_castps_si512(_mm512_sub_ps(even, _mm512_castsi512_ps(evenHigh)));
  const __m512i oddLow = _mm512_castps_si512(_mm512_sub_ps(odd, _mm512_castsi512_ps(oddHigh)));
  _mm512_store_si512(high, _mm512_or_si512(_mm512_srli_epi32(evenHigh, 16), oddHigh));
  _mm512_store_si512(low, _mm512_or_si512(_mm512_srli_epi32(evenLow, 16), oddLow));
}

struct F16Weights {
  static constexpr AmxType type = AmxType::bf16;
  static constexpr int parts = 2;
  static constexpr int64_t stepInputs = 32;

  // [step][tile][high, low], one register each.
  template <int Tiles> WeightPanel panel(const LinearCall& call, int64_t tile, int64_t step, int64_t stepCount) {
    constexpr int64_t tileStride = 2 * registerBytes, stepStride = 2 * tileStride;
    uint8_t* place = split + step * stepStride % panelBytes;
    for (int i = 0; i < Tiles; i++) {
      const uint8_t* halves = tileAt(call, tile + i) + step * registerBytes;
      for (int64_t s = 0; s < stepCount; s++) {
        uint8_t* high = place + s * stepStride + i * tileStride;
        for (int64_t line = 0; line < registerBytes; line += 64, halves += 64) {
          __builtin_prefetch(halves + 2 * registerBytes);
          splitPair(halves, high + line, high + registerBytes + line);
        }
      }
    }
    return {place, tileStride, stepStride, stepCount};
  }

  template <int Tiles>
  void prefetch(const LinearCall& call, int64_t tile, int64_t step, int64_t stepCount, int64_t part,
                int64_t parts) const {
    for (int i = 0; i < Tiles; i++)
      prefetchPart(tileAt(call, tile + i) + step * registerBytes, stepCount * registerBytes, part, parts);
  }

  void store(const LinearCall& call, const PreparedBlock& block, int64_t group, int64_t tile,
             const uint8_t* sums) const {
    storeRows(call, block, group, tile, sums);
  }

  alignas(64) uint8_t split[panelBytes];
};

// Two inputs of 16 rows, as pairs of bf16: 2^-8 of E4M3 numbers.
ALOFT_INLINE void widenPair(const uint8_t* codes, uint8_t* pairs) {
  const __m512i even = _mm512_castps_si512(loadE4m3(codes)), odd = _mm512_castps_si512(loadE4m3(codes + tileRows));
  _mm512_store_si512(pairs, _mm512_or_si512(_mm512_srli_epi32(even, 16), odd));
}

struct Fp8Weights {
  static constexpr AmxType type = AmxType::bf16;
  static constexpr int parts = 1;
  static constexpr int64_t stepInputs = 32;
  static constexpr int64_t stepBytes = stepInputs * tileRows;

  // [step][tile], one register each.
  template <int Tiles> WeightPanel panel(const LinearCall& call, int64_t tile, int64_t step, int64_t stepCount) {
    constexpr int64_t tileStride = registerBytes, stepStride = 2 * tileStride;
    uint8_t* place = pairs + step * stepStride % (2 * panelBytes);
    for (int i = 0; i < Tiles; i++) {
      const uint8_t* codes = tileAt(call, tile + i) + step * stepBytes;
      for (int64_t s = 0; s < stepCount; s++) {
        uint8_t* to = place + s * stepStride + i * tileStride;
        for (int64_t line = 0; line < registerBytes; line += 64, codes += 2 * tileRows) {
          __builtin_prefetch(codes + 2 * stepBytes);
          widenPair(codes, to + line);
        }
      }
    }
    return {place, tileStride, stepStride, stepCount};
  }

  template <int Tiles>
  void prefetch(const LinearCall& call, int64_t tile, int64_t step, int64_t stepCount, int64_t part,
                int64_t parts) const {
    for (int i = 0; i < Tiles; i++)
      prefetchPart(tileAt(call, tile + i) + step * stepBytes, stepCount * stepBytes, part, parts);
  }

  void store(const LinearCall& call, const PreparedBlock& block, int64_t group, int64_t tile,
             const uint8_t* sums) const {
    storeRows(call, block, group, tile, sums);
  }

  alignas(64) uint8_t pairs[2 * panelBytes];  // a panel in use and the next
};

template <typename Weights> void multiply(const LinearCall& call, const PreparedBlock& block, int64_t firstTile,
                                          int64_t lastTile) {
  multiplyAmx(call, block, firstTile, lastTile, Weights());
}

}  // namespace

const LinearKernel denseAmxF16 = {4, groupTokens, prepare, multiply<F16Weights>};
const LinearKernel denseAmxBf16 = {4, groupTokens, prepare, multiply<Bf16Weights>};
const LinearKernel denseAmxFp8 = {4, groupTokens, prepare, multiply<Fp8Weights>};

}  // namespace aloft
