// The scales that a tensor's own values ask for: from the largest value above zero and the largest magnitude below.
// Both are Scales, so that values with different units compare, and no float is needed.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>

#include "mantissa/num/float_bits.hpp"
#include "mantissa/tensor/view.hpp"

namespace mantissa {

/// Where the values of some elements end; nothing on a side on which there are none.
struct Band {
  std::optional<Scale> above{};
  std::optional<Scale> below{};  ///< magnitude
  Scale unit{};                  ///< of the first element; 1 for Float32: the scale where all values are 0

  constexpr std::optional<Scale> largest() const {
    return above && below ? max(*above, *below) : above ? above : below;
  }
};

namespace dynamic {

constexpr void extend(std::optional<Scale>& end, uint32_t magnitude, Scale unit) {
  if (magnitude == 0) return;
  const Scale reached = Scale::normalized(magnitude, 0) * unit;
  if (!end || *end < reached) end = reached;
}

/// NaN and infinities do not count.
constexpr Band float_band(const ConstTensorView& v, size_t first, size_t last) {
  uint32_t above = 0, below = 0;  // as bits: magnitudes of floats are ordered like integers
  for (size_t i = first; i < last; ++i) {
    const uint32_t bits = std::bit_cast<uint32_t>(load_float(v, i)), magnitude = bits & 0x7FFFFFFFu;
    if (magnitude >= 0x7F800000u) continue;
    uint32_t& end = bits >> 31 != 0 ? below : above;
    if (magnitude > end) end = magnitude;
  }
  Band band;
  if (above != 0) band.above = Scale::from_float(std::bit_cast<float>(above));
  if (below != 0) band.below = Scale::from_float(std::bit_cast<float>(below));
  return band;
}

constexpr Band code_band(const ConstTensorView& v, size_t first, size_t last) {
  const size_t each = v.granule_elements();
  Band band{.unit = unit_of(v, first / each)};
  for (size_t i = first; i < last;) {
    const size_t granule = i / each, end = granule * each + each < last ? granule * each + each : last;
    uint32_t above = 0, below = 0;
    for (; i < end; ++i) {
      const int64_t integer = int64_t(int_repr(v, i)) - zero_point_of(v, granule);
      if (integer > int64_t(above)) above = uint32_t(integer);
      if (-integer > int64_t(below)) below = uint32_t(-integer);
    }
    extend(band.above, above, unit_of(v, granule));
    extend(band.below, below, unit_of(v, granule));
  }
  return band;
}

/// a + b to 31 bits: of the smaller one, 32 bits below the last of the larger one suffice.
constexpr Scale sum(Scale a, Scale b) {
  if (a.exponent < b.exponent) return sum(b, a);
  const int32_t distance = a.exponent - b.exponent;
  const uint64_t small = distance < 32 ? (uint64_t(b.mantissa) << 32) >> distance : 0;
  return Scale::normalized((uint64_t(a.mantissa) << 32) + small, a.exponent - 32);
}

}  // namespace dynamic

/// The band of the elements first..last - 1, at least one. Requires a quantity, which is Float32 or is not.
template <bool is_float>
constexpr Band band_of(const ConstTensorView& v, size_t first, size_t last) {
  if constexpr (is_float) return dynamic::float_band(v, first, last);
  return dynamic::code_band(v, first, last);
}

/// Largest magnitude / largest code.
constexpr Scale sym_scale(const Band& band, int bits) {
  const std::optional<Scale> largest = band.largest();
  return largest ? *largest / Scale::normalized(uint64_t(symmetric_range(bits).high), 0) : band.unit;
}

struct AsymScale {
  Scale scale;
  int16_t zero_point = 0;
};

/// scale = (highest - lowest) / (2^b - 1) of a band that contains 0; the lowest value gets the lowest code, nearest.
constexpr AsymScale asym_scale(const Band& band, int bits) {
  const int32_t steps = (int32_t(1) << bits) - 1, lowest = -(int32_t(1) << (bits - 1));
  const std::optional<Scale> width =
      band.above && band.below ? dynamic::sum(*band.above, *band.below) : band.largest();
  const Scale scale = width ? *width / Scale::normalized(uint64_t(steps), 0) : band.unit;
  const int32_t below =
      band.below ? rescale(1, multiplier(*band.below / scale), Rounding::kHalfAway, {0, steps}) : 0;
  return {scale, int16_t(lowest + below)};
}

/// The byte of the smallest exponent for which no code saturates: with Floor and Stochastic, which may go a whole step,
/// largest / 2^e <= max; with the others, largest / 2^e < max + 1/2. At the ends of a byte: 0 or 254.
constexpr uint8_t bfp_exponent(const Band& band, int bits, Rounding rounding) {
  const std::optional<Scale> largest = band.largest();
  if (!largest) return 0;
  const int32_t exponent = largest->exponent + 32 - bits;  // largest / 2^exponent is in [2^(b-2), 2^(b-1))
  const uint64_t max = uint64_t(symmetric_range(bits).high), m = largest->mantissa;
  const bool fits = rounding == Rounding::kFloor || rounding == Rounding::kStochastic
                        ? m <= max << (32 - bits)
                        : m < (2 * max + 1) << (31 - bits);
  const int32_t byte = exponent + (fits ? 0 : 1) + bfp_bias(bits);
  return uint8_t(byte < 0 ? 0 : byte > kLargestExponentByte ? kLargestExponentByte : byte);
}

}  // namespace mantissa
