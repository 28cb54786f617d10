// What a Scale is worth, in the arithmetic of the machine that tests it.
#pragma once
#include <cmath>

#include "mantissa/num/scale.hpp"

namespace mantissa::test {

/// Exact: 31 bits fit a double.
inline double value_of(Scale s) { return std::ldexp(double(s.mantissa), s.exponent); }

}  // namespace mantissa::test
