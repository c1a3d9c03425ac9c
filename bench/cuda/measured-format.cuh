// The format of weights that a program measures: INT8, with -DINT4 INT4 in groups of 128, with -DDENSE_WEIGHTS f16.
#pragma once
#include "linear/cuda/weights.cuh"

#if defined(INT4)
#define FORMAT INT4_G128
#elif defined(DENSE_WEIGHTS)
#define FORMAT DENSE
#else
#define FORMAT INT8
#endif
