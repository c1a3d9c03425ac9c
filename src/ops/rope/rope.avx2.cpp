#include "cpu-kernel.h"
