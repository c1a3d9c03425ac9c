// RMSNorm with and without an addition before it.
#include "rms-norm/rms-norm.cuh"

extern "C" __global__ void __launch_bounds__(NORM_THREADS) rms_norm(const RmsNormArgs args) {
  rms_norm_row<false, NormActivations>(args);
}

extern "C" __global__ void __launch_bounds__(NORM_THREADS) add_rms_norm(const RmsNormArgs args) {
  rms_norm_row<true, NormActivations>(args);
}
