// Accumulators become codes of 2 to 16 bits: where the new scale comes from, and the one rounding.
// Codes never leave their width; what does not fit saturates and is counted.
#pragma once
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

#include "mantissa/num/rescale.hpp"

namespace mantissa {

template <class A>
concept AccumulatorCode = std::same_as<A, int32_t> || std::same_as<A, int64_t>;
template <class C>
concept OperandCode = std::same_as<C, int8_t> || std::same_as<C, int16_t>;

template <AccumulatorCode A>
constexpr uint64_t largest_magnitude(std::span<const A> sums) {
  uint64_t largest = 0;
  for (const A sum : sums) {
    const uint64_t magnitude = sum < 0 ? uint64_t(0) - uint64_t(int64_t(sum)) : uint64_t(sum);
    if (magnitude > largest) largest = magnitude;
  }
  return largest;
}

// --- Scales: given, or one of these. `largest` is the largest |sum|, `unit` what one unit of a sum is worth. ---

/// The largest sum gets the largest code; where all sums are 0, the unit.  Source: SPEC 12.
constexpr Scale dynamic_scale(uint64_t largest, Scale unit, int32_t max_code) {
  if (largest == 0) return unit;
  return Scale::normalized(largest, 0) * unit / Scale::normalized(uint64_t(max_code), 0);
}

/// margin * largest * unit / max_code: for what comes after these sums. Requires largest > 0.  Source: SPEC 7.
constexpr Scale delayed_scale(uint64_t largest, Scale unit, int32_t max_code, Scale margin) {
  return Scale::normalized(largest, 0) * unit * margin / Scale::normalized(uint64_t(max_code), 0);
}

/// How a delayed scale follows the sums: it grows at once and shrinks to no less than `decay` of itself.
struct DelayedRule {
  Scale margin;
  Scale decay;
};

/// The scale after sums that met `scale`; unchanged where all of them were 0.
constexpr Scale next_delayed_scale(Scale scale, uint64_t largest, Scale unit, int32_t max_code,
                                   DelayedRule rule) {
  if (largest == 0) return scale;
  return max(delayed_scale(largest, unit, max_code, rule.margin), scale * rule.decay);
}

// --- Codes ---

/// rescale that adds 1 to `saturated` if the rounded code does not fit the range, within +-2^30.
/// Requires |accumulator| < 2^62.
template <AccumulatorCode A>
constexpr int32_t rescale_counted(A accumulator, Multiplier by, Rounding rounding, CodeRange range,
                                  uint32_t random_bits, size_t& saturated) {
  constexpr CodeRange kWidest{-(int32_t(1) << 30), int32_t(1) << 30};
  int32_t code = 0;
  if constexpr (std::same_as<A, int32_t>)
    code = rescale(accumulator, by, rounding, kWidest, random_bits);
  else
    code = rescale_wide(accumulator, by, rounding, kWidest, random_bits);
  const int32_t fitted = clamp_code(code, range);
  if (fitted != code) ++saturated;
  return fitted;
}

/// What all codes of a requantization share.
struct Requantization {
  Scale unit{};   ///< of the sums
  Scale scale{};  ///< of the codes
  int bits = 8;
  Rounding rounding = Rounding::kHalfAway;
  RandomKey key{};  ///< for Stochastic; sum i draws random16(key, first_index + i)
  uint32_t first_index = 0;
};

/// codes[i] = clamp(round(sums[i] * unit / scale), +-(2^(bits-1) - 1)); returns how many saturated.
/// Requires as many codes as sums, 2..16 bits that fit C, and |sum| < 2^62.  Source: SPEC 12.
template <AccumulatorCode A, OperandCode C>
constexpr size_t requantize(std::span<const A> sums, const Requantization& r, std::span<C> codes) {
  const Multiplier by = multiplier(r.unit / r.scale);
  const CodeRange range = symmetric_range(r.bits);
  const bool draws = r.rounding == Rounding::kStochastic;
  size_t saturated = 0;
  for (size_t i = 0; i < sums.size(); ++i) {
    const uint32_t bits = draws ? random16(r.key, r.first_index + uint32_t(i)) : 0;
    codes[i] = C(rescale_counted(sums[i], by, r.rounding, range, bits, saturated));
  }
  return saturated;
}

}  // namespace mantissa
