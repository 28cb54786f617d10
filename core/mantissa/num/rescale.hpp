// The only place where a scale changes: one multiplication, one rounding, one clamp.
// Everything that turns an accumulator into a code goes through here or equals it bit for bit.
#pragma once
#include <cstdint>

#include "mantissa/num/random.hpp"
#include "mantissa/num/scale.hpp"

namespace mantissa {

/// How a real number between two integers becomes one of them. Each rule is the offset added before the floor.
enum class Rounding : uint8_t {
  kHalfAway,    ///< nearest, ties away from zero
  kHalfEven,    ///< nearest, ties to even
  kFloor,       ///< towards minus infinity
  kStochastic,  ///< up with a probability equal to the fraction (16 random bits)
};

/// Smallest and largest code; |low|, |high| <= 2^30.
struct CodeRange {
  int32_t low = 0;
  int32_t high = 0;
};

/// The symmetric range of b bits: +-(2^(b-1) - 1).
constexpr CodeRange symmetric_range(int bits) {
  const int32_t high = (int32_t(1) << (bits - 1)) - 1;
  return {-high, high};
}

constexpr int32_t clamp_code(int64_t code, CodeRange range) {
  return code < range.low ? range.low : code > range.high ? range.high : int32_t(code);
}

/// The offset that makes floor((product + offset) / 2^shift) the rounding asked for; shift in 1..62.
/// Stochastic: the middle of the random16-th of 65536 equal parts of [0, 2^shift), floored to an integer.
constexpr int64_t rounding_offset(Rounding rounding, int64_t product, int32_t shift, uint32_t random_bits) {
  const int64_t half = int64_t(1) << (shift - 1);
  switch (rounding) {
    case Rounding::kHalfAway: return half - (product < 0 ? 1 : 0);
    case Rounding::kHalfEven: return half - 1 + ((product >> shift) & 1);
    case Rounding::kFloor: return 0;
    case Rounding::kStochastic: {
      const int64_t middle = 2 * int64_t(random_bits) + 1;
      return shift >= 17 ? middle << (shift - 17) : middle >> (17 - shift);
    }
  }
  return 0;
}

/// round(accumulator * mantissa * 2^-shift), not clamped.  |result| <= 2^61.
constexpr int64_t scaled(int32_t accumulator, Multiplier by, Rounding rounding, uint32_t random_bits = 0) {
  const int64_t product = int64_t(accumulator) * by.mantissa;
  return (product + rounding_offset(rounding, product, by.shift, random_bits)) >> by.shift;
}

/// scaled(code, by, kHalfAway) for |code| <= 2^15 and by.shift > 16, in 32 bits.
constexpr int32_t scaled_code(int32_t code, Multiplier by) {
  const int32_t magnitude = code < 0 ? -code : code;
  const int32_t upper =  // of the product, without its last 16 bits: they are below the half that rounds
      (by.mantissa >> 16) * magnitude + (((by.mantissa & 0xFFFF) * magnitude) >> 16);
  const int32_t shift = (by.shift < 47 ? by.shift : 47) - 16;  // beyond 47 all is 0
  const int32_t rounded = (upper + (1 << (shift - 1))) >> shift;
  return code < 0 ? -rounded : rounded;
}

/// code = clamp(round(accumulator * multiplier), range).  Source: SPEC 3.
constexpr int32_t rescale(int32_t accumulator, Multiplier by, Rounding rounding, CodeRange range,
                          uint32_t random_bits = 0) {
  return clamp_code(scaled(accumulator, by, rounding, random_bits), range);
}

/// The same for a 64-bit accumulator, |accumulator| < 2^62: the 93-bit product is exact, in two words.
constexpr int32_t rescale_wide(int64_t accumulator, Multiplier by, Rounding rounding, CodeRange range,
                               uint32_t random_bits = 0) {
  const int64_t low_product = int64_t(uint32_t(accumulator)) * by.mantissa;
  int64_t high = (accumulator >> 32) * by.mantissa + (low_product >> 32);  // product = high * 2^32 + low
  uint64_t low = uint32_t(low_product);
  // Only HalfEven looks at the product's own bits: at the one above the point, which the floor below still shows.
  const int64_t parity_source = by.shift >= 32 ? high >> (by.shift - 32) : int64_t(low >> by.shift);
  const int64_t offset = rounding == Rounding::kHalfEven
                             ? (int64_t(1) << (by.shift - 1)) - 1 + (parity_source & 1)
                             : rounding_offset(rounding, high, by.shift, random_bits);
  low += uint32_t(offset);
  high += (offset >> 32) + int64_t(low >> 32);
  low = uint32_t(low);
  if (by.shift >= 32) return clamp_code(high >> (by.shift - 32), range);
  const int64_t limit = int64_t(1) << by.shift;  // |high| beyond it means |code| >= 2^32
  if (high >= limit) return range.high;
  if (high < -limit) return range.low;
  return clamp_code((high << (32 - by.shift)) + int64_t(low >> by.shift), range);
}

}  // namespace mantissa
