#include "quantise-groups-body.h"
