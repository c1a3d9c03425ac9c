#define DENSE_NAME denseNeon
#include "dense-body.h"
