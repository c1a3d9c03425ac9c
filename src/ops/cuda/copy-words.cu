// Copies words between the device and pinned memory of its host. Between two kernels a copy engine takes several
// microseconds to begin and to end; for the few words of a step a kernel is done sooner.
#include "cuda/peer-memory.cuh"

struct CopyWordsArgs {
  const Vec16* source;  // [pieces]
  Vec16* target;        // [pieces]
  int pieces;
};

extern "C" __global__ void copy_words(const CopyWordsArgs a) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < a.pieces; i += gridDim.x * blockDim.x)
    store_to_peer(a.target + i, load_from_peer(a.source + i));
}
