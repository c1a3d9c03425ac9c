#define INT4_NAME int4Avx2
#include "int4-words-body.h"
