// A real number of any sign as integers: a Scale with a sign, or zero. For the running statistics of a BatchNorm, which are float32 in
// memory and integers while they are computed.
#pragma once
#include "mantissa/num/float_bits.hpp"

namespace mantissa {

/// sign * magnitude; sign is -1, 0 or 1.
struct SignedScale {
  int32_t sign = 0;
  Scale magnitude;

  constexpr bool operator==(const SignedScale&) const = default;

  /// An integer, to 31 significant bits.
  static constexpr SignedScale of(int64_t integer) {
    if (integer == 0) return {};
    const uint64_t size = integer < 0 ? 0 - uint64_t(integer) : uint64_t(integer);
    return {integer < 0 ? -1 : 1, Scale::normalized(size, 0)};
  }
  /// Exact. Requires a finite value.
  static constexpr SignedScale from_float(float value) {
    const uint32_t magnitude = std::bit_cast<uint32_t>(value) & 0x7FFFFFFFu;
    if (magnitude == 0) return {};
    return {is_negative(value) ? -1 : 1, Scale::from_float(std::bit_cast<float>(magnitude))};
  }
  /// Nearest float32, ties to even; beyond its range the largest finite one, or zero.
  constexpr float to_float() const {
    if (sign == 0) return 0.0f;
    return std::bit_cast<float>(std::bit_cast<uint32_t>(magnitude.to_float()) | (sign < 0 ? 0x80000000u : 0));
  }

  friend constexpr SignedScale operator*(SignedScale a, Scale b) { return {a.sign, a.magnitude * b}; }
  friend constexpr SignedScale operator/(SignedScale a, Scale b) { return {a.sign, a.magnitude / b}; }
  /// To 31 bits; of the smaller one 30 bits below the last of the larger one count.  Source: SPEC 2.
  friend constexpr SignedScale operator+(SignedScale a, SignedScale b) {
    if (a.sign == 0) return b;
    if (b.sign == 0) return a;
    if (a.magnitude.exponent < b.magnitude.exponent) return b + a;
    const int32_t distance = a.magnitude.exponent - b.magnitude.exponent;
    const int64_t large = int64_t(a.magnitude.mantissa) << 30;
    const int64_t small = distance < 62 ? (int64_t(b.magnitude.mantissa) << 30) >> distance : 0;
    SignedScale sum = of(a.sign * large + b.sign * small);
    sum.magnitude = sum.magnitude.shifted(sum.sign == 0 ? 0 : a.magnitude.exponent - 30);
    return sum;
  }
};

}  // namespace mantissa
