// The step and the KV cache as kernels see them. The tables in step-view.ts and kv-layout.ts name the fields; a test
// compares them.
#pragma once
#include "api.h"
#include <algorithm>

namespace aloft {

struct StepView {
  int64_t tokenCount;
  int64_t rowCount;
  int64_t maxBlocksPerSequence;
  uint64_t positionsAddress;    // [tokens] i32
  uint64_t rowOffsetsAddress;   // [rows + 1] i32
  uint64_t blockTablesAddress;  // [rows, maxBlocksPerSequence] i32

  const int32_t* positions() const { return pointer<const int32_t>(positionsAddress); }
  const int32_t* rowOffsets() const { return pointer<const int32_t>(rowOffsetsAddress); }
  const int32_t* blockTable(int64_t row) const {
    return pointer<const int32_t>(blockTablesAddress) + row * maxBlocksPerSequence;
  }
  // The row that a token belongs to.
  int64_t rowOf(int64_t token) const {
    const int32_t* first = rowOffsets();
    return std::upper_bound(first, first + rowCount + 1, static_cast<int32_t>(token)) - first - 1;
  }
};

// One block holds `blockTokens` tokens of every layer. In a layer:
//   keys   [kvHeads, headDim, blockTokens]      transposed, so that scores of neighbouring keys fill a vector
//   values [kvHeads, blockTokens, valueStride]  padded to whole vectors
//   formats of 8 bits: scales of keys, then of values, each [kvHeads, blockTokens] f32; a number is its element times
//     its scale
enum class KvFormat : int64_t {
  f32 = 0,
  f16 = 1,
  int8 = 2,
  // FP8 E4M3 read with f16's exponent bias, which makes it 2^-8 of its value; the scale has the factor.
  fp8 = 3,
};

struct KvLayout {
  int64_t blockStrideBytes;
  int64_t valueOffsetBytes;  // from the keys of a layer to its values
  int64_t scaleOffsetBytes;  // from the keys of a layer to their scales
  int64_t blockTokens;
  int64_t kvHeadCount;
  int64_t headDim;
  int64_t valueStride;
  KvFormat format;

  // Inlined by force: files for several instruction sets share these, and the linker would keep any one copy.
  ALOFT_INLINE int64_t elementBytes() const { return format == KvFormat::f32 ? 4 : format == KvFormat::f16 ? 2 : 1; }
  // Keys of one head in one block, [headDim, blockTokens].
  ALOFT_INLINE char* keys(uint64_t layerAddress, int64_t block, int64_t kvHead) const {
    return pointer<char>(layerAddress) + block * blockStrideBytes + kvHead * headDim * blockTokens * elementBytes();
  }
  // Values of one head in one block, [blockTokens, valueStride].
  ALOFT_INLINE char* values(uint64_t layerAddress, int64_t block, int64_t kvHead) const {
    return pointer<char>(layerAddress) + block * blockStrideBytes + valueOffsetBytes +
           kvHead * blockTokens * valueStride * elementBytes();
  }
  // Scales in one block, [blockTokens]: row kvHead for keys, row kvHeadCount + kvHead for values.
  ALOFT_INLINE float* scales(uint64_t layerAddress, int64_t block, int64_t row) const {
    return pointer<float>(layerAddress + block * blockStrideBytes + scaleOffsetBytes) + row * blockTokens;
  }
};

}  // namespace aloft
