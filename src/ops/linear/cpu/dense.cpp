#define DENSE_NAME densePortable
#include "dense-body.h"
