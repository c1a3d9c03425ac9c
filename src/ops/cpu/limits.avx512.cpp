#include "limits-body.h"
