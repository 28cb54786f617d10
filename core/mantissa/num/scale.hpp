// A positive real number as integers: what a code is multiplied with to give a value.
// Integers, because float arithmetic differs between machines and costs a library call on a core without FPU.
#pragma once
#include <bit>
#include <cstdint>

namespace mantissa {

/// floor(n * 2^32 / d) for n < d and d >= 2^31, from quotients of 32 bits: a division of 64 bits is a long call on a
/// small core. Two digits of 16 bits; a digit from the upper half of d is at most 2 too large.  Source: Knuth 4.3.1, D.
constexpr uint32_t quotient_q32(uint32_t n, uint32_t d) {
  const uint32_t upper = d >> 16, lower = d & 0xFFFF;
  uint32_t quotient = 0;
  for (int i = 0; i < 2; ++i) {
    uint32_t digit = n / upper, rest = n - digit * upper;
    while (rest <= 0xFFFF && (digit > 0xFFFF || digit * lower > rest << 16)) {
      --digit;
      rest += upper;
    }
    n = (rest << 16) - digit * lower;
    quotient = (quotient << 16) + digit;
  }
  return quotient;
}

/// value = mantissa * 2^exponent with mantissa in [2^30, 2^31): 31 significant bits.
/// Every positive finite float32 converts exactly (24 bits). Source: SPEC 2.
struct Scale {
  uint32_t mantissa = 1u << 30;
  int32_t exponent = -30;

  constexpr bool operator==(const Scale&) const = default;

  /// m * 2^e brought to 31 significant bits, ties away from zero. Requires m > 0.
  static constexpr Scale normalized(uint64_t m, int32_t e) {
    const int width = 64 - std::countl_zero(m);
    if (width <= 31) return {uint32_t(m << (31 - width)), e - (31 - width)};
    const int drop = width - 31;
    uint64_t rounded = (m >> drop) + ((m >> (drop - 1)) & 1);
    if (rounded == uint64_t(1) << 31) return {1u << 30, e + drop + 1};
    return {uint32_t(rounded), e + drop};
  }

  /// m / 2 * 2^e to the nearest, ties away from zero. Requires m >= 2^31.
  static constexpr Scale rounded(uint32_t m, int32_t e) {
    const uint32_t mantissa = (m >> 1) + (m & 1);
    return mantissa == 1u << 31 ? Scale{1u << 30, e + 1} : Scale{mantissa, e};
  }

  /// n / d to within one unit of the last of 31 bits. Requires 0 < n, d < 2^31.
  static constexpr Scale ratio(uint32_t n, uint32_t d) { return normalized(n, 0) / normalized(d, 0); }

  /// Exact. Requires a positive finite value.
  static constexpr Scale from_float(float value) {
    const uint32_t bits = std::bit_cast<uint32_t>(value);
    const uint32_t fraction = bits & 0x7FFFFF, biased = (bits >> 23) & 0xFF;
    return biased == 0 ? normalized(fraction, -149) : normalized(fraction | 0x800000, int32_t(biased) - 150);
  }

  /// Nearest float32, ties to even; beyond its range the largest finite float32 or zero.
  constexpr float to_float() const {
    int32_t e = exponent + 30;  // value = 1.xxx * 2^e
    if (e > 127) return std::bit_cast<float>(0x7F7FFFFFu);
    if (e < -150) return 0.0f;
    const int drop = e >= -126 ? 7 : 7 + (-126 - e);  // bits beyond the 24 (or fewer, if subnormal) kept
    const uint64_t wide = mantissa;
    const uint64_t half = uint64_t(1) << (drop - 1);
    const uint64_t kept = (wide + half - 1 + ((wide >> drop) & 1)) >> drop;
    if (e < -126) return std::bit_cast<float>(uint32_t(kept));
    const uint32_t bits =
        (uint32_t(e + 127) << 23) + uint32_t(kept - 0x800000);  // a carry moves the exponent
    return std::bit_cast<float>(bits >= 0x7F800000u ? 0x7F7FFFFFu : bits);
  }

  friend constexpr Scale operator*(Scale a, Scale b) {
    const uint64_t product = uint64_t(a.mantissa) * b.mantissa;  // of 61 or 62 bits
    const bool wide = product >> 61 != 0;
    return rounded(uint32_t(wide ? product >> 30 : product >> 29),
                   a.exponent + b.exponent + (wide ? 31 : 30));
  }
  friend constexpr Scale operator/(Scale a, Scale b) {
    const int32_t halved = a.mantissa >= b.mantissa ? 1 : 0;  // so that the quotient is below 2^32
    return rounded(quotient_q32(a.mantissa << (1 - halved), b.mantissa << 1),
                   a.exponent - b.exponent - 31 + halved);
  }
  friend constexpr bool operator<(Scale a, Scale b) {
    return a.exponent != b.exponent ? a.exponent < b.exponent : a.mantissa < b.mantissa;
  }
  /// value * 2^n, exact.
  constexpr Scale shifted(int32_t n) const { return {mantissa, exponent + n}; }
};

/// floor(s + 1/2), at most 2^61.
constexpr uint64_t whole(Scale s) {
  constexpr uint64_t kMost = uint64_t(1) << 61;
  if (s.exponent >= 31) return kMost;
  if (s.exponent >= 0)
    return uint64_t(s.mantissa) << s.exponent < kMost ? uint64_t(s.mantissa) << s.exponent : kMost;
  const int32_t drop = -s.exponent;
  return drop > 31 ? 0 : (s.mantissa + (uint64_t(1) << (drop - 1))) >> drop;
}

constexpr Scale max(Scale a, Scale b) { return a < b ? b : a; }

/// A factor as a kernel uses it: mantissa * 2^-shift, mantissa < 2^31, shift in 1..62.
struct Multiplier {
  int32_t mantissa = 1 << 30;
  int32_t shift = 30;
};

/// The multiplier of a scale. Factors of 2^30 and more become the largest one, which saturates every code but 0;
/// those below 2^-32 lose bits that cannot change a rounded code, but stay positive so that Floor keeps its sign.
constexpr Multiplier multiplier(Scale factor) {
  const int32_t shift = -factor.exponent;
  if (shift < 1) return {INT32_MAX, 1};
  if (shift <= 62) return {int32_t(factor.mantissa), shift};
  const uint32_t m = shift - 62 < 31 ? factor.mantissa >> (shift - 62) : 0;
  return {int32_t(m == 0 ? 1 : m), 62};
}

}  // namespace mantissa
