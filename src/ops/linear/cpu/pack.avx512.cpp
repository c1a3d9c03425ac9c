#define PACK_NAME packTileAvx512
#include "pack-body.h"
