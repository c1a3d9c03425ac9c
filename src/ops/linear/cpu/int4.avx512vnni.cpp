#define INT4_NAME int4Avx512Vnni
#include "int4-body.h"
