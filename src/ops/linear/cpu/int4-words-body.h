// int4 weights by multiplying 16-bit words (vpmaddwd), for levels without 8-bit dot products. The including file
// defines INT4_NAME and is compiled for AVX2, AVX-512 or NEON.
//
// The four bytes of a row, two quads of codes, are two words. Shifts take a word apart into four codes: those of inputs
// (0, 2), (1, 3), (4, 6) and (5, 7), which is the order of the activations, so that each 4 bytes of them are one
// broadcast operand. Several groups of tokens share that work: some groups of inputs become words once, and stay in the
// L1 cache for all of them.
#include "int4-vectors.h"
#include "ops/cpu/pool.h"
#include <memory>

namespace aloft {
namespace {

#if defined(__AVX512F__)
ALOFT_INLINE Words halfOfByte() { return _mm512_set1_epi16(15); }
#elif defined(ALOFT_NEON)
ALOFT_INLINE Words halfOfByte() { return vdupq_n_u32(0x000f000f); }
#else
ALOFT_INLINE Words halfOfByte() { return _mm256_set1_epi16(15); }
#endif

constexpr int64_t octetBytes = 8 * tileRows / 2;  // of eight inputs of a tile

// Words are kept of so many inputs, or of one group.
constexpr int64_t chunkInputs = 512;

// Pair `part` of the four of an octet.
template <int part> ALOFT_INLINE Words pairOf(Words bytes) {
  if constexpr (part == 0) return both(bytes, halfOfByte());
  if constexpr (part == 1) return both(shiftWords<8>(bytes), halfOfByte());
  if constexpr (part == 2) return both(shiftWords<4>(bytes), halfOfByte());
  if constexpr (part == 3) return shiftWords<12>(bytes);
}

template <int part> ALOFT_INLINE void storePair(Words bytes, int16_t* words) {
  storeWords(words + part * quadWords / 2, pairOf<part>(bytes));
}

// The words of `octetCount` octets of a tile: [octets][4][16][2].
void widen(const uint8_t* stream, int64_t octetCount, int16_t* words) {
  for (int64_t octet = 0; octet < octetCount; octet++, stream += octetBytes, words += 2 * quadWords) {
    for (int v = 0; v < vectorsPerTile; v++) {
      const Words bytes = loadWords(stream + v * lanes * 4);
      storePair<0>(bytes, words + v * lanes * 2);
      storePair<1>(bytes, words + v * lanes * 2);
      storePair<2>(bytes, words + v * lanes * 2);
      storePair<3>(bytes, words + v * lanes * 2);
    }
  }
}

template <int part, int Tokens>
ALOFT_INLINE void addPairOf(const uint8_t* stream, const int16_t* x, Words (&dots)[Tokens][vectorsPerTile]) {
  Words weights[vectorsPerTile];
  for (int v = 0; v < vectorsPerTile; v++) weights[v] = pairOf<part>(loadWords(stream + v * lanes * 4));
  addPair<Tokens>(weights, x + part * 2 * Tokens, dots);
  __asm__ volatile("" ::: "memory");  // one pair at a time: the words of all would take the registers of sums
}

template <int quad, int Tokens>
ALOFT_INLINE void addQuadOf(const uint8_t* stream, const int16_t* x, Words (&dots)[Tokens][vectorsPerTile]) {
  Words even[vectorsPerTile], odd[vectorsPerTile];
  for (int v = 0; v < vectorsPerTile; v++) {
    const Words bytes = loadWords(stream + v * lanes * 4);
    even[v] = pairOf<2 * quad>(bytes);
    odd[v] = pairOf<2 * quad + 1>(bytes);
  }
  addQuad<Tokens>(even, odd, x + quad * 4 * Tokens, dots);
}

// Adds the products of `octetCount` octets as they are packed to the dot products of one group of tokens.
template <int Tokens>
ALOFT_INLINE void addPacked(const uint8_t* stream, const int16_t* x, int64_t octetCount,
                            Words (&dots)[Tokens][vectorsPerTile]) {
  for (int64_t octet = 0; octet < octetCount; octet++, stream += octetBytes, x += 8 * Tokens) {
    prefetch(stream);
    if constexpr (Tokens == 1) {
      addQuadOf<0>(stream, x, dots);
      addQuadOf<1>(stream, x, dots);
    } else {
      addPairOf<0>(stream, x, dots);
      addPairOf<1>(stream, x, dots);
      addPairOf<2>(stream, x, dots);
      addPairOf<3>(stream, x, dots);
    }
  }
}

// The end of a group of inputs for a group of tokens, at one vector of rows: `sums` [Tokens][16]. groupSum: of the
// first token, `groups` apart.
template <int Tokens>
ALOFT_INLINE void addGroups(Vector scales, Words zeros, const int32_t* groupSum, int64_t groups, int v,
                            const Words (&dots)[Tokens][vectorsPerTile], float* sums) {
#pragma GCC unroll 12
  for (int i = 0; i < Tokens; i++) {
    float* to = sums + i * tileRows + v * lanes;
    const Vector before = loadFloats(reinterpret_cast<const uint8_t*>(to));
    storeFloats(to, addGroup(before, dots[i][v], zeros, groupSum[i * groups], scales));
  }
}

// The groups of inputs [first, last) of a tile for all tokens of a block. sums: [tokens][16]; words: room for the words
// of these groups where several groups of tokens share them.
template <int Tokens, bool isShared>
void multiplyChunk(const LinearCall& call, const PreparedBlock& block, int64_t tile, Range chunk, float* sums,
                   int16_t* words) {
  const int64_t groups = groupCount(call), firstInput = chunk.begin * call.group;
  const int64_t inputCount = groupEnd(call, chunk.end - 1) - firstInput;
  const uint8_t* stream = tileAt(call, tile) + firstInput * tileRows / 2;
  if constexpr (isShared) widen(stream, inputCount / 8, words);
  GroupRows rows[vectorsPerTile];
  for (int v = 0; v < vectorsPerTile; v++) rows[v] = GroupRows(call, tile, v * lanes);
  for (int64_t t = 0; t < block.tokenCount; t += Tokens) {
    const int16_t* x = reinterpret_cast<const int16_t*>(block.activations) + t * call.paddedIn + firstInput * Tokens;
    const uint8_t* ahead = t == 0 ? stream + inputCount * tileRows / 2 : nullptr;
    int64_t k = 0;
    for (int64_t g = chunk.begin; g < chunk.end; g++) {
      const int64_t end = groupEnd(call, g) - firstInput;
      Words dots[Tokens][vectorsPerTile] = {};  // 128 * 15 * 32639 fits
      if constexpr (isShared)
        addPairs<Tokens, octetBytes / 4>(words + k * tileRows, x + k * Tokens, (end - k) / 2, dots, ahead);
      else
        addPacked<Tokens>(stream + k * tileRows / 2, x + k * Tokens, (end - k) / 8, dots);
      if (ahead != nullptr) ahead += (end - k) * tileRows / 2;
#pragma GCC unroll 4
      for (int v = 0; v < vectorsPerTile; v++)
        addGroups<Tokens>(rows[v].scales(g), rows[v].zeros(g), block.groupSum + t * groups + g, groups, v, dots,
                          sums + t * tileRows);
      k = end;
    }
  }
}

template <int Tokens, bool isShared>
void multiplyTiles(const LinearCall& call, const PreparedBlock& block, int64_t firstTile, int64_t lastTile) {
  const int64_t sumCount = roundUp(block.tokenCount, Tokens) * tileRows, groups = groupCount(call);
  const int64_t chunkGroups = call.group < chunkInputs ? chunkInputs / call.group : 1;
  const std::unique_ptr<float[]> sums(new float[sumCount]);
  const std::unique_ptr<int16_t[]> words(isShared ? new int16_t[chunkGroups * call.group * tileRows] : nullptr);
  for (int64_t tile = firstTile; tile < lastTile; tile++) {
    std::memset(sums.get(), 0, sumCount * sizeof(float));
    for (int64_t g = 0; g < groups; g += chunkGroups) {
      const Range chunk = {g, g + chunkGroups < groups ? g + chunkGroups : groups};
      multiplyChunk<Tokens, isShared>(call, block, tile, chunk, sums.get(), words.get());
    }
    for (int64_t t = 0; t < block.tokenCount; t++) storeSums(call, block, t, tile, sums.get() + t * tileRows);
  }
}

void multiply(const LinearCall& call, const PreparedBlock& block, int64_t firstTile, int64_t lastTile) {
  withGroups(block, [&](auto tokens, auto isShared) {
    multiplyTiles<decltype(tokens)::value, decltype(isShared)::value>(call, block, firstTile, lastTile);
  });
}

}  // namespace

const LinearKernel INT4_NAME = {2, pairGroupTokens, quantiseToPairs, multiply};

}  // namespace aloft
