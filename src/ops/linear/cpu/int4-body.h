// int4 weights by multiplying unsigned codes with the signed bytes of activations, at the vector width of the including
// file, which defines INT4_NAME. Halves of bytes become bytes in registers, so that four bits a weight are read.
//
// Dot products of a group are exact integers. With VNNI they grow in 32 bits; without, in 16 bits over 32 inputs, which
// hold 8 * 2 * 15 * 128 = 30720.
#include "int4.h"
#include "vector.h"

namespace aloft {
namespace {

#if defined(__AVX512F__)
ALOFT_INLINE Words zeroWords() { return _mm512_setzero_si512(); }
ALOFT_INLINE Words broadcastWord(int32_t value) { return _mm512_set1_epi32(value); }
ALOFT_INLINE Words lowHalves(Words bytes) { return _mm512_and_si512(bytes, _mm512_set1_epi8(15)); }
ALOFT_INLINE Words highHalves(Words bytes) { return lowHalves(_mm512_srli_epi16(bytes, 4)); }
ALOFT_INLINE Words add(Words a, Words b) { return _mm512_add_epi32(a, b); }
ALOFT_INLINE Words subtract(Words a, Words b) { return _mm512_sub_epi32(a, b); }
ALOFT_INLINE Words multiply(Words a, Words b) { return _mm512_mullo_epi32(a, b); }
ALOFT_INLINE Words times256(Words a) { return _mm512_slli_epi32(a, 8); }
ALOFT_INLINE Words loadZeros(const uint8_t* from) {
  return _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
}
ALOFT_INLINE Vector toFloat(Words a) { return _mm512_cvtepi32_ps(a); }
ALOFT_INLINE Vector multiply(Vector a, Vector b) { return _mm512_mul_ps(a, b); }
ALOFT_INLINE Vector add(Vector a, Vector b) { return _mm512_add_ps(a, b); }
ALOFT_INLINE Vector zeroFloats() { return _mm512_setzero_ps(); }
ALOFT_INLINE void storeFloats(float* to, Vector a) { _mm512_storeu_ps(to, a); }
#else
ALOFT_INLINE Words zeroWords() { return _mm256_setzero_si256(); }
ALOFT_INLINE Words broadcastWord(int32_t value) { return _mm256_set1_epi32(value); }
ALOFT_INLINE Words lowHalves(Words bytes) { return _mm256_and_si256(bytes, _mm256_set1_epi8(15)); }
ALOFT_INLINE Words highHalves(Words bytes) { return lowHalves(_mm256_srli_epi16(bytes, 4)); }
ALOFT_INLINE Words add(Words a, Words b) { return _mm256_add_epi32(a, b); }
ALOFT_INLINE Words subtract(Words a, Words b) { return _mm256_sub_epi32(a, b); }
ALOFT_INLINE Words multiply(Words a, Words b) { return _mm256_mullo_epi32(a, b); }
ALOFT_INLINE Words times256(Words a) { return _mm256_slli_epi32(a, 8); }
ALOFT_INLINE Words loadZeros(const uint8_t* from) {
  return _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from)));
}
ALOFT_INLINE Vector toFloat(Words a) { return _mm256_cvtepi32_ps(a); }
ALOFT_INLINE Vector multiply(Vector a, Vector b) { return _mm256_mul_ps(a, b); }
ALOFT_INLINE Vector add(Vector a, Vector b) { return _mm256_add_ps(a, b); }
ALOFT_INLINE Vector zeroFloats() { return _mm256_setzero_ps(); }
ALOFT_INLINE void storeFloats(float* to, Vector a) { _mm256_storeu_ps(to, a); }
#endif

// Adds the products of 32 inputs: `begin` starts a partial sum, `addQuad` adds the products of four inputs to it, and
// `finish` adds it to a sum of 32 bits.
#if defined(__AVX512VNNI__)
ALOFT_INLINE Words begin(Words sum) { return sum; }
ALOFT_INLINE Words addQuad(Words partial, Words codes, Words x) { return _mm512_dpbusd_epi32(partial, codes, x); }
ALOFT_INLINE Words finish(Words, Words partial) { return partial; }
#elif defined(__AVX512F__)
ALOFT_INLINE Words begin(Words) { return zeroWords(); }
ALOFT_INLINE Words addQuad(Words partial, Words codes, Words x) {
  return _mm512_add_epi16(partial, _mm512_maddubs_epi16(codes, x));
}
ALOFT_INLINE Words finish(Words sum, Words partial) {
  return add(sum, _mm512_madd_epi16(partial, _mm512_set1_epi16(1)));
}
#else
ALOFT_INLINE Words begin(Words) { return zeroWords(); }
ALOFT_INLINE Words addQuad(Words partial, Words codes, Words x) {
  return _mm256_add_epi16(partial, _mm256_maddubs_epi16(codes, x));
}
ALOFT_INLINE Words finish(Words sum, Words partial) {
  return add(sum, _mm256_madd_epi16(partial, _mm256_set1_epi16(1)));
}
#endif

int64_t groupTokens(int64_t) { return rowGroupTokens; }

void sumGroups(const LinearCall& call, const PreparedBlock& block, int64_t t) {
  const auto* row = reinterpret_cast<const int8_t*>(groupRows(call, block, t, 2));
  for (int64_t g = 0; g < groupCount(call); g++) {
    int32_t high = 0, low = 0;
    for (int64_t k = g * call.group; k < groupEnd(call, g); k += 32) {
      const int8_t* bytes = row + k / 64 * 1024 + k % 64;
      for (int64_t i = 0; i < 32; i++) {
        high += bytes[i];
        low += bytes[64 + i];
      }
    }
    block.groupSum[t * groupCount(call) + g] = high * 256 + low;
  }
}

void prepare(const LinearCall& call, const PreparedBlock& block, int64_t first, int64_t last) {
  quantiseToBytes(call, block, first, last, 0);
  for (int64_t t = first; t < last; t++) sumGroups(call, block, t);
}

// Adds the products of 32 inputs of `Parts` parts of tiles, a vector wide each, and the rows of `Tokens` tokens.
template <int Tokens, int Parts>
ALOFT_INLINE void addInputs(Words (&sums)[Parts][2 * Tokens], const uint8_t* const (&stream)[Parts], const uint8_t* x) {
  Words partial[Parts][2 * Tokens];
  for (int p = 0; p < Parts; p++)
    for (int row = 0; row < 2 * Tokens; row++) partial[p][row] = begin(sums[p][row]);
#pragma GCC unroll 4
  for (int pair = 0; pair < 4; pair++) {
    Words low[Parts], high[Parts];
    for (int p = 0; p < Parts; p++) {
      prefetch(stream[p] + pair * 64);
      const Words bytes = loadWords(stream[p] + pair * 64);
      low[p] = lowHalves(bytes);
      high[p] = highHalves(bytes);
    }
    for (int row = 0; row < 2 * Tokens; row++) {
      int32_t quads[2];
      std::memcpy(quads, x + row * 64 + pair * 8, 8);
      const Words first = broadcastWord(quads[0]), second = broadcastWord(quads[1]);
      for (int p = 0; p < Parts; p++) {
        partial[p][row] = addQuad(partial[p][row], low[p], first);
        partial[p][row] = addQuad(partial[p][row], high[p], second);
      }
    }
  }
  for (int p = 0; p < Parts; p++)
    for (int row = 0; row < 2 * Tokens; row++) sums[p][row] = finish(sums[p][row], partial[p][row]);
}

// The results of `Tokens` tokens from token t and of `Parts` parts from part `firstPart` of the call's tiles.
template <int Tokens, int Parts>
void multiplyParts(const LinearCall& call, const PreparedBlock& block, int64_t t, int64_t firstPart,
                   float (*results)[Tokens][lanes]) {
  const int64_t groups = groupCount(call);
  const uint8_t* stream[Parts];
  const uint16_t* scale[Parts];
  const uint8_t* zero[Parts];
  for (int p = 0; p < Parts; p++) {
    const int64_t tile = (firstPart + p) / vectorsPerTile, within = (firstPart + p) % vectorsPerTile * lanes;
    stream[p] = tileAt(call, tile) + within * 4;
    scale[p] = call.groupScale + tile * groups * tileRows + within;
    zero[p] = call.groupZero == nullptr ? nullptr : call.groupZero + tile * groups * tileRows + within;
  }
  const uint8_t* x = groupRows(call, block, t, 2);
  Vector totals[Parts][Tokens];
  for (int p = 0; p < Parts; p++)
    for (int token = 0; token < Tokens; token++) totals[p][token] = zeroFloats();
  for (int64_t g = 0; g < groups; g++) {
    Words sums[Parts][2 * Tokens];
    for (int p = 0; p < Parts; p++)
      for (int row = 0; row < 2 * Tokens; row++) sums[p][row] = zeroWords();
    for (int64_t k = g * call.group; k < groupEnd(call, g); k += 32) {
      addInputs<Tokens, Parts>(sums, stream, x + k / 64 * 1024 + k % 64);
      for (int p = 0; p < Parts; p++) stream[p] += 256;
    }
    for (int p = 0; p < Parts; p++) {
      const Vector factor = loadHalves(reinterpret_cast<const uint8_t*>(scale[p] + g * tileRows));
      const Words offset = zero[p] == nullptr ? broadcastWord(8) : loadZeros(zero[p] + g * tileRows);
      for (int token = 0; token < Tokens; token++) {
        const Words sum = broadcastWord(block.groupSum[(t + token) * groups + g]);
        const Words dot = subtract(add(times256(sums[p][2 * token]), sums[p][2 * token + 1]), multiply(offset, sum));
        totals[p][token] = add(totals[p][token], multiply(toFloat(dot), factor));
      }
    }
  }
  for (int p = 0; p < Parts; p++)
    for (int token = 0; token < Tokens; token++) storeFloats(results[p][token], totals[p][token]);
}

template <int Tokens, int Tiles>
void multiplyBlock(const LinearCall& call, const PreparedBlock& block, int64_t t, int64_t tile) {
  constexpr int parts = Tiles * vectorsPerTile;
  alignas(64) float results[parts][Tokens][lanes];
  multiplyParts<Tokens, parts>(call, block, t, tile * vectorsPerTile, results);
  for (int i = 0; i < Tiles; i++) {
    for (int64_t token = 0; token < Tokens && t + token < block.tokenCount; token++) {
      float sums[tileRows];
      for (int v = 0; v < vectorsPerTile; v++)
        std::memcpy(sums + v * lanes, results[i * vectorsPerTile + v][token], sizeof(float) * lanes);
      addResults(call, block, t + token, tile + i, sums);
    }
  }
}

#if defined(__AVX512VNNI__)
constexpr int blockTokens = 4, blockTiles = 2;
#elif defined(__AVX512F__)
constexpr int blockTokens = 4, blockTiles = 1;
#else
constexpr int blockTokens = 2, blockTiles = 1;
#endif

template <int Tiles> void multiplyTiles(const LinearCall& call, const PreparedBlock& block, int64_t tile) {
  for (int64_t t = 0; t < block.tokenCount; t += blockTokens) {
    if (block.tokenCount - t == 1)
      multiplyBlock<1, Tiles>(call, block, t, tile);
    else
      multiplyBlock<blockTokens, Tiles>(call, block, t, tile);  // the last ones perhaps with tokens too many
  }
}

// Tiles outside, tokens inside: a group of tiles comes from memory once and stays in the L2 cache for the other tokens.
void multiply(const LinearCall& call, const PreparedBlock& block, int64_t firstTile, int64_t lastTile) {
  int64_t tile = firstTile;
  for (; tile + blockTiles <= lastTile; tile += blockTiles) multiplyTiles<blockTiles>(call, block, tile);
  for (; tile < lastTile; tile++) multiplyTiles<1>(call, block, tile);
}

}  // namespace

const LinearKernel INT4_NAME = {2, groupTokens, prepare, multiply};

}  // namespace aloft
