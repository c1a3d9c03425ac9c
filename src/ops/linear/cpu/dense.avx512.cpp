#define DENSE_NAME denseAvx512
#include "dense-body.h"
