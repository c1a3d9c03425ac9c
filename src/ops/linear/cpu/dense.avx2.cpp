#define DENSE_NAME denseAvx2
#include "dense-body.h"
