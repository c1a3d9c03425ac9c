// Packs 16 rows, compiled for several levels. The including file defines PACK_NAME.
#include "pack.h"
#include <cmath>

namespace aloft {
namespace {

constexpr uint32_t infinityBits = 0x7f800000;

ALOFT_INLINE uint32_t magnitudeBits(float value) { return bitsOfFloat(value) & 0x7fffffff; }

// Sums of squares in doubles, 8 chains: one chain could not become vector code.
struct Squares {
  double chains[8] = {};

  [[gnu::always_inline]] void add(int64_t i, double value) { chains[i & 7] += value * value; }
  double total() const {
    double sum = 0;
    for (double chain : chains) sum += chain;
    return sum;
  }
};

void finishReport(PackReport& report, const float* rows, int64_t count, const Squares& errors) {
  Squares squares;
  int64_t nonFinite = 0;
  for (int64_t i = 0; i < count; i++) {
    squares.add(i, rows[i]);
    nonFinite += magnitudeBits(rows[i]) >= infinityBits;
  }
  report.squaredError = errors.total();
  report.squaredSum = squares.total();
  report.nonFiniteCount = static_cast<double>(nonFinite);
}

// Rows to store: padding rows exist in tiles only.
int64_t storedRows(const PackCall& call, int64_t tile) {
  const int64_t rest = call.outCount - tile * tileRows;
  return call.tiled || rest > tileRows ? tileRows : rest;
}

template <typename Element> Element* targetOf(const PackCall& call, int64_t tile) {
  Element* target = reinterpret_cast<Element*>(call.weight + tile * tileBytes(call.format, call.paddedIn));
  if (call.tiled) std::memset(target, 0, tileBytes(call.format, call.paddedIn));
  return target;
}

template <typename Element, int64_t together, typename Convert, typename Restore>
PackReport packDense(const PackCall& call, int64_t tile, const float* rows, Convert convert, Restore restore) {
  Element* out = targetOf<Element>(call, tile);
  const Place place = {call.tiled, together, call.inCount};
  const int64_t rowCount = storedRows(call, tile);
  PackReport report;
  Squares errors;
  int64_t overflow = 0;
  for (int64_t row = 0; row < rowCount; row++) {
    const float* from = rows + row * call.inCount;
    for (int64_t k = 0; k < call.inCount; k++) {
      const Element stored = convert(from[k]);
      const float restored = restore(stored);
      const bool overflows = magnitudeBits(restored) >= infinityBits && magnitudeBits(from[k]) < infinityBits;
      overflow += overflows;
      errors.add(k, overflows ? 0 : static_cast<double>(from[k]) - restored);
      out[place(row, k)] = stored;
    }
  }
  finishReport(report, rows, rowCount * call.inCount, errors);
  report.overflowCount = static_cast<double>(overflow);
  return report;
}

constexpr float smallestMaximum = 1e-30f;  // the inverse of a smaller one is not finite

// Largest magnitude. They compare like integers, whose maxima need no order: the loop becomes vector code.
float largestOf(const float* values, int64_t count) {
  uint32_t largestBits = 0;
  for (int64_t k = 0; k < count; k++)
    largestBits = magnitudeBits(values[k]) > largestBits ? magnitudeBits(values[k]) : largestBits;
  return floatOfBits(largestBits);
}

// Symmetric per output row: scale = max|w| / 127, q = round(w / scale) in [-127, 127].
PackReport packInt8(const PackCall& call, int64_t tile, const float* rows) {
  int8_t* out = targetOf<int8_t>(call, tile);
  const Place place = {call.tiled, 4, call.inCount};
  const int64_t rowCount = storedRows(call, tile);
  PackReport report;
  Squares errors;
  for (int64_t row = 0; row < rowCount; row++) {
    const float* from = rows + row * call.inCount;
    const float largest = largestOf(from, call.inCount);
    const bool zero = largest < smallestMaximum;
    const float scale = zero ? 0 : largest / 127, inverse = zero ? 0 : 127 / largest;
    int32_t sum = 0;
    for (int64_t k = 0; k < call.inCount; k++) {
      constexpr float magic = 0x1.8p23f;  // rounds to nearest even, see quantise.h
      const int32_t rounded = static_cast<int32_t>(bitsOfFloat(from[k] * inverse + magic) - bitsOfFloat(magic));
      const int32_t q = rounded > 127 ? 127 : rounded < -127 ? -127 : rounded;
      sum += q;
      errors.add(k, static_cast<double>(from[k]) - static_cast<double>(q) * scale);
      out[place(row, k)] = static_cast<int8_t>(q);
    }
    call.scale[tile * tileRows + row] = scale;
    if (call.tiled) call.sum[tile * tileRows + row] = sum;
  }
  finishReport(report, rows, rowCount * call.inCount, errors);
  return report;
}

// E4M3 numbers, symmetric per output row: scale = max|w| / 448.
PackReport packFp8(const PackCall& call, int64_t tile, const float* rows) {
  uint8_t* out = targetOf<uint8_t>(call, tile);
  const Place place = {call.tiled, 1, call.inCount};
  const int64_t rowCount = storedRows(call, tile);
  PackReport report;
  Squares errors;
  for (int64_t row = 0; row < rowCount; row++) {
    const float* from = rows + row * call.inCount;
    const float largest = largestOf(from, call.inCount);
    const bool zero = largest < smallestMaximum;
    const float scale = zero ? 0 : largest / 448, inverse = zero ? 0 : 448 / largest;
    for (int64_t k = 0; k < call.inCount; k++) {
      const uint8_t code = floatToE4m3(from[k] * inverse);
      errors.add(k, static_cast<double>(from[k]) - static_cast<double>(e4m3ToFloat(code)) * scale);
      out[place(row, k)] = code;
    }
    call.scale[tile * tileRows + row] = scale;
  }
  finishReport(report, rows, rowCount * call.inCount, errors);
  return report;
}

}  // namespace

PackReport PACK_NAME(const PackCall& call, int64_t tile, float* rows) {
  for (int64_t i = 0; i < tileRows; i++) {
    const int64_t row = tile * tileRows + i;
    float* to = rows + i * call.inCount;
    if (row < call.sourceRows)
      toFloats(call.sourceDType, call.source + row * call.inCount * bytesPerElement(call.sourceDType), call.inCount,
               to);
    else
      std::memset(to, 0, call.inCount * sizeof(float));
  }
  switch (call.format) {
    case LinearFormat::f32:
      return packDense<float, 1>(
          call, tile, rows, [](float value) { return value; }, [](float value) { return value; });
    case LinearFormat::f16:
      return packDense<uint16_t, 1>(
          call, tile, rows, [](float value) { return floatToHalf(value); },
          [](uint16_t bits) { return halfToFloat(bits); });
    case LinearFormat::bf16:
      return packDense<uint16_t, 2>(
          call, tile, rows, [](float value) { return floatToBfloat16(value); },
          [](uint16_t bits) { return bfloat16ToFloat(bits); });
    case LinearFormat::int8:
      return packInt8(call, tile, rows);
    case LinearFormat::fp8:
      return packFp8(call, tile, rows);
    case LinearFormat::int4:  // quantised first (quantise-groups.h), then packed as codes
      break;
  }
  return {};
}

}  // namespace aloft
