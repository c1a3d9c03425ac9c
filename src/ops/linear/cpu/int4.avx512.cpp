#define INT4_NAME int4Avx512
#include "int4-words-body.h"
