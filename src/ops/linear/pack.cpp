#define PACK_NAME packTilePortable
#include "pack.inc"
