// Linear layers with int8 weights over many rows on compute capability 9.0, products in 8 bits: twice the rate of 16.
// The rows of x come as bytes with a scale for each (round-input.cuh). The sums are exact.
#include "linear/cuda/round-input.cuh"
#include "linear/cuda/wide.cuh"

ROUND_INPUT_KERNEL(round_input, Int8Codes)

#define WIDE8_KERNEL(name, FORMAT, TOKEN_GROUPS, TILES_PER_WARP, WARPGROUPS, BOXES, CLUSTER_BLOCKS, EPILOGUE)         \
  extern "C" __global__ void __cluster_dims__(CLUSTER_BLOCKS, 1, 1) __launch_bounds__(                                \
      Wide<ByteProducts<FORMAT>, TOKEN_GROUPS, TILES_PER_WARP, WARPGROUPS, BOXES, CLUSTER_BLOCKS, EPILOGUE>::THREADS, \
      1) name(const __grid_constant__ Wide8Args args) {                                                               \
    Wide<ByteProducts<FORMAT>, TOKEN_GROUPS, TILES_PER_WARP, WARPGROUPS, BOXES, CLUSTER_BLOCKS, EPILOGUE>::run(       \
        {args, &args.xMap, &args.weightMap, args.inputScale});                                                        \
  }

// A unit includes this file and makes its kernels with WIDE8_KERNEL lines.
