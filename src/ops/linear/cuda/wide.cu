// Linear layers with quantised weights over 17 rows and more on compute capability 9.0, products in the activations'
// type.
#include "linear/cuda/wide.cuh"

#define WIDE_KERNEL(name, FORMAT, TOKEN_GROUPS, TILES_PER_WARP, WARPGROUPS, BOXES, CLUSTER_BLOCKS, EPILOGUE)         \
  extern "C" __global__ void __cluster_dims__(CLUSTER_BLOCKS, 1, 1) __launch_bounds__(                               \
      Wide<ActProducts<FORMAT>, TOKEN_GROUPS, TILES_PER_WARP, WARPGROUPS, BOXES, CLUSTER_BLOCKS, EPILOGUE>::THREADS, \
      1) name(const __grid_constant__ WideArgs args) {                                                               \
    Wide<ActProducts<FORMAT>, TOKEN_GROUPS, TILES_PER_WARP, WARPGROUPS, BOXES, CLUSTER_BLOCKS, EPILOGUE>::run(       \
        {args, &args.xMap, &args.weightMap, nullptr});                                                               \
  }

// A unit includes this file and makes its kernels with WIDE_KERNEL lines.
