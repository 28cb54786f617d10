// float32 as an integer times a power of two, and back with one rounding: without float arithmetic.
// So a conversion gives the same bits on a core that has no floats, and in the compiler.
#pragma once
#include <bit>
#include <cstdint>

#include "mantissa/num/scale.hpp"

namespace mantissa {

/// A real number exactly: integer * unit.
struct ExactValue {
  int32_t integer = 0;
  Scale unit;
};

/// 2^exponent.
constexpr Scale power_of_two(int32_t exponent) { return {1u << 30, exponent - 30}; }

constexpr bool is_nan(float x) { return (std::bit_cast<uint32_t>(x) & 0x7FFFFFFFu) > 0x7F800000u; }
constexpr bool is_negative(float x) { return std::bit_cast<uint32_t>(x) >> 31 != 0; }
constexpr bool is_infinite(float x) { return (std::bit_cast<uint32_t>(x) & 0x7FFFFFFFu) == 0x7F800000u; }

/// significand * 2^exponent, |significand| < 2^24. Exact. Requires a finite value.
struct FloatParts {
  int32_t significand = 0;
  int32_t exponent = 0;
};
constexpr FloatParts split_float(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  const uint32_t biased = (bits >> 23) & 0xFF;
  const int32_t magnitude = int32_t(biased == 0 ? bits & 0x7FFFFF : (bits & 0x7FFFFF) | 0x800000);
  return {bits >> 31 != 0 ? -magnitude : magnitude, biased == 0 ? -149 : int32_t(biased) - 150};
}

/// Towards zero. Requires |x| < 2^62. Libraries for cores without floats take double for this.
constexpr int64_t truncated(float x) {
  const FloatParts p = split_float(x);
  if (p.exponent >= 0) return int64_t(p.significand) * (int64_t(1) << p.exponent);
  const int64_t magnitude = p.significand < 0 ? -p.significand : p.significand;
  const int64_t whole = p.exponent > -24 ? magnitude >> -p.exponent : 0;
  return p.significand < 0 ? -whole : whole;
}

/// The float32 nearest to magnitude * 2^exponent, ties to even, as bits without sign; infinity beyond the range.
constexpr uint32_t float_magnitude(uint64_t magnitude, int32_t exponent) {
  if (magnitude == 0) return 0;
  const int32_t leading = 63 - std::countl_zero(magnitude) + exponent;  // value = 1.xxx * 2^leading
  if (leading > 127) return 0x7F800000u;
  const int32_t last = leading < -126 ? -149 : leading - 23;  // exponent of the last bit kept
  const int32_t drop = last - exponent;
  if (drop > 64) return 0;
  uint64_t kept = 0;
  if (drop <= 0) {
    kept = magnitude << -drop;
  } else {
    const uint64_t floor = drop == 64 ? 0 : magnitude >> drop;
    const uint64_t rest = magnitude << (64 - drop);  // in units of 2^-64
    constexpr uint64_t kHalf = uint64_t(1) << 63;
    kept = floor + (rest > kHalf || (rest == kHalf && (floor & 1) != 0) ? 1 : 0);
  }
  // The leading bit of a normal number, and a carry out of the kept bits, add themselves to the exponent.
  return leading < -126 ? uint32_t(kept) : (uint32_t(leading + 126) << 23) + uint32_t(kept);
}

constexpr float kLargestFloat = std::bit_cast<float>(0x7F7FFFFFu);

/// The float32 nearest to integer * unit, ties to even; beyond the range infinity.
constexpr float nearest_float(ExactValue x) {
  const uint64_t magnitude = x.integer < 0 ? uint64_t(-int64_t(x.integer)) : uint64_t(x.integer);
  const uint32_t bits = float_magnitude(magnitude * x.unit.mantissa, x.unit.exponent);
  return std::bit_cast<float>(bits | (x.integer < 0 ? 0x80000000u : 0));
}

}  // namespace mantissa
