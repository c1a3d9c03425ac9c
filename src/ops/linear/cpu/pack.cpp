#define PACK_NAME packTilePortable
#include "pack-body.h"
