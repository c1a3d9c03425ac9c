#define INT8_NAME int8Avx512
#include "int8-words-body.h"
