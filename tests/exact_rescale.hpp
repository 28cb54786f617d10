// What a test or a fuzzer compares roundings and packed codes with: their definitions in 128-bit integers and in single bits.
#pragma once
#include <cstdint>
#include <span>

#include "mantissa/num/rescale.hpp"

namespace mantissa::test {

using Wide = __int128;

/// floor((x * mantissa + offset) / 2^shift) of SPEC 3, not clamped, from what is left over the floor.
inline Wide exact_code(Wide x, Multiplier by, Rounding rounding, uint32_t random_bits) {
  const Wide product = x * by.mantissa, unit = Wide(1) << by.shift;
  const Wide floor = product >> by.shift, rest = product - floor * unit;
  switch (rounding) {
    case Rounding::kHalfAway: return floor + (2 * rest > unit || (2 * rest == unit && product > 0) ? 1 : 0);
    case Rounding::kHalfEven:
      return floor + (2 * rest > unit || (2 * rest == unit && floor % 2 != 0) ? 1 : 0);
    case Rounding::kFloor: return floor;
    case Rounding::kStochastic:
      return floor + (rest + (((2 * random_bits + 1) * unit) >> 17) >= unit ? 1 : 0);
  }
  return 0;
}

inline int32_t clamped(Wide code, CodeRange range) {
  return int32_t(code < range.low ? range.low : code > range.high ? range.high : code);
}

/// Code i of a little-endian stream of codes of so many bits, two's complement, read bit by bit. One bit has no sign.
inline int64_t exact_unpacked(std::span<const uint8_t> stream, int bits, size_t i) {
  int64_t code = 0;
  for (int k = 0; k < bits; ++k) {
    const size_t at = i * size_t(bits) + size_t(k);
    code |= int64_t(stream[at / 8] >> (at % 8) & 1) << k;
  }
  return bits > 1 && code >> (bits - 1) != 0 ? code - (int64_t(1) << bits) : code;
}

}  // namespace mantissa::test
