// int4 weights in groups of inputs in their logical form, which every device's packer starts from: row-major codes of a
// byte each, an f16 scale and perhaps a zero for each group of a row.
#pragma once
#include "ops/cpu/levels.h"
#include "pack.h"

namespace aloft {

// Where the numbers of one group go.
struct GroupTarget {
  int8_t* codes;
  uint16_t* scale;
  uint8_t* zero;  // null in formats without zeros
};

}  // namespace aloft

// Adds the group's errors to the report.
ALOFT_DECLARE_LEVELS(void, quantiseGroup,
                     (const float* values, int64_t count, bool hasZeros, const aloft::GroupTarget& target,
                      aloft::PackReport& report))
