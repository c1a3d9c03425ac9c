#define DENSE_NAME densePortable
#include "dense.inc"
