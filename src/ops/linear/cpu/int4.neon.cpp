#define INT4_NAME int4Neon
#include "int4-words-body.h"
