// Reports of the parts of a weight as one. Not for files that are compiled for an instruction set (levels.h).
#pragma once
#include "pack.h"
#include <vector>

namespace aloft {

// Summed in order, so that the sum does not depend on the number of threads.
inline PackReport totalOf(const std::vector<PackReport>& reports) {
  PackReport sum;
  for (const PackReport& report : reports) {
    sum.squaredError += report.squaredError;
    sum.squaredSum += report.squaredSum;
    sum.overflowCount += report.overflowCount;
    sum.nonFiniteCount += report.nonFiniteCount;
  }
  return sum;
}

}  // namespace aloft
