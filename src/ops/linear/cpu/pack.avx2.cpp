#define PACK_NAME packTileAvx2
#include "pack-body.h"
