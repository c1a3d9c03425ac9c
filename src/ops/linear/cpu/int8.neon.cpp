#define INT8_NAME int8Neon
#include "int8-words-body.h"
