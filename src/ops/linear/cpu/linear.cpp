// Picks the kernels of the pool's level and shares the work out: each thread has its own output tiles, and so its own
// part of the weights' stream.
#include "kernels.h"
#include "ops/cpu/pool.h"
#include <memory>

namespace aloft {
namespace {

// Up to here the vector kernel reads int8 weights 10% faster than the AMX kernel; its results are the same bits, and so
// are those of int4. f16 must not change kernels with the number of tokens: sums would be rounded in another order, and
// a token's result would depend on its batch.
constexpr int64_t maxVectorTokens = 4;

const LinearKernel& int8Kernel(Isa isa, int64_t tokenCount, int64_t inputBits) {
#if defined(__x86_64__)
  if (isa == Isa::amx && tokenCount > maxVectorTokens) return int8Amx;
  if (isa >= Isa::avx512vnni && inputBits == 8) return int8BytesAvx512Vnni;
  if (isa >= Isa::avx512vnni) return int8Avx512Vnni;
  if (isa == Isa::avx512) return int8Avx512;
  if (isa == Isa::avx2) return inputBits == 8 ? int8BytesAvx2 : int8Avx2;
#elif defined(__aarch64__)
  if (isa == Isa::dotprod) return inputBits == 8 ? int8BytesDotprod : int8Dotprod;
  if (isa == Isa::neon) return int8Neon;
#endif
  (void)isa, (void)tokenCount, (void)inputBits;
  return int8Portable;
}

// A smaller group would leave half of a tile register empty.
constexpr int64_t minAmxGroup = 64;

const LinearKernel& int4Kernel(Isa isa, int64_t tokenCount, int64_t group) {
#if defined(__x86_64__)
  if (isa == Isa::amx && tokenCount > maxVectorTokens && group >= minAmxGroup) return int4Amx;
  if (isa >= Isa::avx512vnni) return int4Avx512Vnni;
  if (isa == Isa::avx512) return int4Avx512;
  if (isa == Isa::avx2) return int4Avx2;
#elif defined(__aarch64__)
  if (isa == Isa::dotprod) return int4Dotprod;
  if (isa == Isa::neon) return int4Neon;
#endif
  (void)isa, (void)tokenCount, (void)group;
  return int4Portable;
}

const LinearKernel& denseKernel(Isa isa, LinearFormat format) {
#if defined(__x86_64__)
  if (isa == Isa::amx && format == LinearFormat::f16) return denseAmxF16;
  if (isa == Isa::amx && format == LinearFormat::bf16) return denseAmxBf16;
  if (isa == Isa::amx && format == LinearFormat::fp8) return denseAmxFp8;
  if (isa >= Isa::avx512) return denseAvx512;
  if (isa == Isa::avx2) return denseAvx2;
#elif defined(__aarch64__)
  if (isa >= Isa::neon) return denseNeon;
#endif
  (void)isa, (void)format;
  return densePortable;
}

const LinearKernel& kernelOf(const LinearCall& call, Isa isa) {
  if (call.format == LinearFormat::int8) return int8Kernel(isa, call.tokenCount, call.inputBits);
  if (call.format == LinearFormat::int4) return int4Kernel(isa, call.tokenCount, call.group);
  return denseKernel(isa, call.format);
}

// Prepared activations of one block of tokens should stay in the L2 cache beside a few tiles of weights.
constexpr int64_t preparedBytes = 1 << 20;
constexpr int64_t minBlockTokens = 64;  // fewer would read the weights too often

// Up to here each thread prepares all tokens for itself, which is cheaper than waiting for another.
constexpr int64_t maxPrivateTokens = 2;

struct Blocking {
  int64_t groupTokens, blockTokens;
  int64_t activationBytes, scratchBytes;
};

Blocking chooseBlocking(const LinearCall& call, const LinearKernel& kernel) {
  const int64_t tokenBytes = call.paddedIn * kernel.bytesPerInput;
  const int64_t group = kernel.groupTokens(call.tokenCount);
  int64_t limit = preparedBytes / tokenBytes;
  limit = limit < minBlockTokens ? minBlockTokens : limit > maxPreparedTokens ? maxPreparedTokens : limit;
  limit = limit / group * group;
  // Equal blocks: all weights would be read once more for a small rest.
  const int64_t blockCount = (call.tokenCount + limit - 1) / limit;
  const int64_t block = roundUp((call.tokenCount + blockCount - 1) / blockCount, group);
  const int64_t perToken = int64_t{sizeof(float)} + groupCount(call) * int64_t{sizeof(int32_t)};
  return {group, block, roundUp(block * tokenBytes, 64), roundUp(block * tokenBytes, 64) + block * perToken};
}

PreparedBlock placeBlock(const Blocking& blocking, void* scratch) {
  uint8_t* bytes = static_cast<uint8_t*>(scratch);
  float* scale = reinterpret_cast<float*>(bytes + blocking.activationBytes);
  return {0, 0, blocking.groupTokens, bytes, scale, reinterpret_cast<int32_t*>(scale + blocking.blockTokens)};
}

void runLinear(Pool* pool, const LinearCall& call, const LinearKernel& kernel) {
  const int64_t tileCount = roundUp(call.outCount, tileRows) / tileRows;
  const Blocking blocking = chooseBlocking(call, kernel);
  const bool isPrivate = call.tokenCount <= maxPrivateTokens;
  void* shared = isPrivate ? nullptr : poolScratch(pool, 0, blocking.scratchBytes);
  parallel(pool, [&](Team& team) {
    PreparedBlock block =
        placeBlock(blocking, isPrivate ? poolScratch(pool, team.thread, blocking.scratchBytes) : shared);
    const auto [firstTile, lastTile] = team.range(tileCount);
    for (int64_t token = 0; token < call.tokenCount; token += blocking.blockTokens) {
      const int64_t rest = call.tokenCount - token;
      block.firstToken = token;
      block.tokenCount = rest < blocking.blockTokens ? rest : blocking.blockTokens;
      if (isPrivate) {
        kernel.prepare(call, block, 0, block.tokenCount);
      } else {
        if (token > 0) team.barrier();  // others may still read the last block
        const auto [first, last] = team.range(block.tokenCount, blocking.groupTokens);
        kernel.prepare(call, block, first, last);
        team.barrier();
      }
      kernel.multiply(call, block, firstTile, lastTile);
    }
  });
}

// Inputs [tokens, in] in the order of the codes.
std::unique_ptr<float[]> inOrder(Pool* pool, const LinearCall& call) {
  std::unique_ptr<float[]> ordered(new float[call.tokenCount * call.inCount]);
  parallelFor(pool, call.tokenCount, 1, [&](int64_t first, int64_t last) {
    for (int64_t token = first; token < last; token++) {
      const float* x = call.x + token * call.inCount;
      float* to = ordered.get() + token * call.inCount;
      for (int64_t i = 0; i < call.inCount; i++) to[i] = x[call.order[i]];
    }
  });
  return ordered;
}

}  // namespace
}  // namespace aloft

ALOFT_API void aloft_linear(uint64_t pool, int format, int64_t group, int64_t tokenCount, int64_t inCount,
                            int64_t outCount, int64_t inputBits, uint64_t x, uint64_t weight, uint64_t scale,
                            uint64_t sum, uint64_t zero, uint64_t order, uint64_t bias, uint64_t out) {
  using namespace aloft;
  const LinearFormat kind = static_cast<LinearFormat>(format);
  LinearCall call = {kind,
                     tokenCount,
                     inCount,
                     outCount,
                     paddedInput(kind, inCount),
                     pointer<const float>(x),
                     pointer<const uint8_t>(weight),
                     pointer<const float>(scale),
                     pointer<const int32_t>(sum),
                     pointer<const float>(bias),
                     pointer<float>(out),
                     inputBits,
                     group,
                     pointer<const uint16_t>(scale),
                     pointer<const uint8_t>(zero),
                     pointer<const int32_t>(order)};
  if (tokenCount <= 0) return;
  Pool* threads = pointer<Pool>(pool);
  const std::unique_ptr<float[]> ordered = order == 0 ? nullptr : inOrder(threads, call);
  if (ordered != nullptr) call.x = ordered.get();
  runLinear(threads, call, kernelOf(call, poolIsa(threads)));
}
