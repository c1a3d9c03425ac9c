#define PACK_NAME packTileAvx2
#include "pack.inc"
