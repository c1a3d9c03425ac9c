// Picks the kernels of the pool's level and shares the work out: each thread has its own output tiles, and so its own part
// of the weights' stream.
#include "kernels.h"
#include "../cpu/pool.h"

namespace aloft {
namespace {

DenseKernel denseKernel(Isa isa) {
#if defined(__x86_64__)
  if (isa >= Isa::avx512) return denseAvx512;
  if (isa == Isa::avx2) return denseAvx2;
#endif
  (void)isa;
  return densePortable;
}

const PreparedKernels &int8Kernels(Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::amx) return int8Amx;
  if (isa == Isa::avx512vnni) return int8Avx512Vnni;
  if (isa == Isa::avx512) return int8Avx512;
  if (isa == Isa::avx2) return int8Avx2;
#endif
  (void)isa;
  return int8Portable;
}

// Prepared activations of one block of tokens should stay in the L2 cache beside a few tiles of weights.
constexpr int64_t preparedBytes = 1 << 20;

// Up to here each thread prepares all tokens for itself, which is cheaper than waiting for another.
constexpr int64_t maxPrivateTokens = 2;

int64_t preparedBlockTokens(const LinearCall &call) {
  const int64_t fitting = preparedBytes / (call.paddedIn * preparedBytesPerInput) / preparedTokenGroup * preparedTokenGroup;
  const int64_t limit = fitting < 64 ? 64 : fitting;
  return call.tokenCount < limit ? roundUp(call.tokenCount, preparedTokenGroup) : limit;
}

PreparedBlock placeBlock(const LinearCall &call, uint8_t *scratch, int64_t blockTokens) {
  return {0, call.tokenCount, scratch, reinterpret_cast<float *>(scratch + blockTokens * call.paddedIn * preparedBytesPerInput)};
}

void runPrepared(Pool *pool, const LinearCall &call, const PreparedKernels &kernels) {
  const int64_t tileCount = roundUp(call.outCount, tileRows) / tileRows;
  const int64_t blockTokens = preparedBlockTokens(call);
  const int64_t scratchBytes = blockTokens * (call.paddedIn * preparedBytesPerInput + int64_t{sizeof(float)});
  if (call.tokenCount <= maxPrivateTokens) {
    parallel(pool, [&](Team &team) {
      const PreparedBlock block =
          placeBlock(call, static_cast<uint8_t *>(poolScratch(pool, team.thread, scratchBytes)), blockTokens);
      const auto [first, last] = team.range(tileCount);
      kernels.prepare(call, block, 0, call.tokenCount);
      kernels.multiply(call, block, first, last);
    });
    return;
  }
  PreparedBlock block = placeBlock(call, static_cast<uint8_t *>(poolScratch(pool, 0, scratchBytes)), blockTokens);
  parallel(pool, [&](Team &team) {
    const auto [firstTile, lastTile] = team.range(tileCount);
    for (int64_t token = 0; token < call.tokenCount; token += blockTokens) {
      PreparedBlock part = block;
      part.firstToken = token;
      part.tokenCount = call.tokenCount - token < blockTokens ? call.tokenCount - token : blockTokens;
      const auto [first, last] = team.range(part.tokenCount, preparedTokenGroup);
      kernels.prepare(call, part, first, last);
      team.barrier();
      kernels.multiply(call, part, firstTile, lastTile);
      team.barrier(); // the activations are about to be overwritten
    }
  });
}

void runLinear(Pool *pool, const LinearCall &call) {
  if (call.tokenCount <= 0) return;
  if (call.format == LinearFormat::int8) return runPrepared(pool, call, int8Kernels(poolIsa(pool)));
  const DenseKernel kernel = denseKernel(poolIsa(pool));
  parallelFor(pool, roundUp(call.outCount, tileRows) / tileRows, 1, [&](int64_t first, int64_t last) { kernel(call, first, last); });
}

} // namespace
} // namespace aloft

// Addresses of scale, sum (int8 only) and bias may be 0.
ALOFT_API void aloft_linear(uint64_t pool, int format, int64_t tokenCount, int64_t inCount, int64_t outCount, uint64_t x,
                            uint64_t weight, uint64_t scale, uint64_t sum, uint64_t bias, uint64_t out) {
  using namespace aloft;
  const LinearFormat kind = static_cast<LinearFormat>(format);
  const LinearCall call = {kind,
                           tokenCount,
                           inCount,
                           outCount,
                           paddedInput(kind, inCount),
                           pointer<const float>(x),
                           pointer<const uint8_t>(weight),
                           pointer<const float>(scale),
                           pointer<const int32_t>(sum),
                           pointer<const float>(bias),
                           pointer<float>(out)};
  runLinear(pointer<Pool>(pool), call);
}
