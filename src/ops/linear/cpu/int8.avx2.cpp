#define INT8_NAME int8Avx2
#include "int8-words-body.h"
