// Any format to any other one, by one walk over stretches of elements that share the scales of both sides.
// A value is integer * unit; it becomes a code by the one rescale, or a float32 by one rounding, and never both.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "mantissa/base/result.hpp"
#include "mantissa/num/requantize.hpp"
#include "mantissa/tensor/dynamic_scale.hpp"

namespace mantissa {

/// Whether values of one format have a meaning in the other: quantities in all but accumulators, which are only
/// computed; labels and masks in their own.
constexpr bool has_conversion(Format from, Format to) {
  if (!from.is_quantity() || !to.is_quantity()) return from.kind == to.kind;
  return to.kind != FormatKind::kSymInt32;
}

template <class From, class To>
concept Convertible = AnyFormat<From> && AnyFormat<To> && has_conversion(From::kFormat, To::kFormat);

/// Where the scales (zero points, exponents) of the target come from.
enum class TargetScales : uint8_t {
  kDynamic,  ///< from the values of each granule, and written to the target
  kGiven,    ///< the target has them
};

struct ConvertOptions {
  Rounding rounding = Rounding::kHalfAway;
  TargetScales scales = TargetScales::kDynamic;
  RandomKey key{};  ///< for Stochastic; element i draws random16(key, i)
};

struct Conversion {
  size_t saturated = 0;     ///< values beyond the range, infinities among them: its ends were stored
  size_t not_a_number = 0;  ///< NaNs: zeros were stored
};

namespace conversion {

/// Calls run(first, last, granule of from, granule of to) for each stretch in which neither changes.
template <class Run>
constexpr void for_each_run(const ConstTensorView& from, const ConstTensorView& to, Run run) {
  const size_t from_each = from.granule_elements(), to_each = to.granule_elements();
  for (size_t first = 0; first < from.elements;) {
    const size_t source = first / from_each, target = first / to_each;
    const size_t last = std::min((source + 1) * from_each, (target + 1) * to_each);
    run(first, last, source, target);
    first = last;
  }
}

/// What the codes of a granule of the target are rounded and clamped with.
struct Target {
  Scale unit;
  int32_t zero_point = 0;
  CodeRange range;  ///< of code - zero_point
};

constexpr Target target_of(const TensorView& to, size_t granule) {
  const int32_t zero_point = zero_point_of(to, granule);
  const CodeRange range = code_range(to.format);
  return {unit_of(to, granule), zero_point, {range.low - zero_point, range.high - zero_point}};
}

/// The scale (with its zero point, or the exponent) that values in the band ask for.
constexpr void set_scale(const TensorView& to, size_t granule, const Band& band, Rounding rounding) {
  if (to.format.kind == FormatKind::kBfp) {
    to.exponents[granule] = bfp_exponent(band, to.format.bits, rounding);
  } else if (to.format.kind == FormatKind::kAsym) {
    const AsymScale found = asym_scale(band, to.format.bits);
    to.scales[granule] = found.scale;
    to.zero_points[granule] = found.zero_point;
  } else {
    to.scales[granule] = sym_scale(band, to.format.bits);
  }
}

template <bool from_float>
constexpr void set_scales(const ConstTensorView& from, const TensorView& to, Rounding rounding) {
  const size_t each = to.granule_elements(), count = granules(to.format, to.elements, to.channels);
  for (size_t g = 0; g < count; ++g)
    set_scale(to, g, band_of<from_float>(from, g * each, (g + 1) * each), rounding);
}

constexpr uint32_t random_bits(const ConvertOptions& options, size_t i) {
  return options.rounding == Rounding::kStochastic ? random16(options.key, uint32_t(i)) : 0;
}

constexpr void codes_to_codes(const ConstTensorView& from, const TensorView& to,
                              const ConvertOptions& options, Conversion& counts) {
  for_each_run(from, to, [&](size_t first, size_t last, size_t source, size_t granule) {
    const Target target = target_of(to, granule);
    const Multiplier by = multiplier(unit_of(from, source) / target.unit);
    const int32_t zero_point = zero_point_of(from, source);
    for (size_t i = first; i < last; ++i) {
      const int32_t code = rescale_counted(int_repr(from, i) - zero_point, by, options.rounding, target.range,
                                           random_bits(options, i), counts.saturated);
      store_code(to, i, code + target.zero_point);
    }
  });
}

constexpr int32_t float_code(float x, const Target& target, Scale inverse, const ConvertOptions& options,
                             size_t i, Conversion& counts) {
  if (is_nan(x)) {
    ++counts.not_a_number;
    return clamp_code(0, target.range);
  }
  if (is_infinite(x)) {
    ++counts.saturated;
    return is_negative(x) ? target.range.low : target.range.high;
  }
  const FloatParts parts = split_float(x);
  return rescale_counted(parts.significand, multiplier(inverse.shifted(parts.exponent)), options.rounding,
                         target.range, random_bits(options, i), counts.saturated);
}

constexpr void floats_to_codes(const ConstTensorView& from, const TensorView& to,
                               const ConvertOptions& options, Conversion& counts) {
  for_each_run(from, to, [&](size_t first, size_t last, size_t, size_t granule) {
    const Target target = target_of(to, granule);
    const Scale inverse = power_of_two(0) / target.unit;
    for (size_t i = first; i < last; ++i) {
      const int32_t code = float_code(load_float(from, i), target, inverse, options, i, counts);
      store_code(to, i, code + target.zero_point);
    }
  });
}

constexpr void codes_to_floats(const ConstTensorView& from, const TensorView& to, Conversion& counts) {
  for (size_t i = 0; i < from.elements; ++i) {
    float x = dequantize(from, i);
    if (is_infinite(x)) {
      ++counts.saturated;
      x = is_negative(x) ? -kLargestFloat : kLargestFloat;
    }
    store_float(to, i, x);
  }
}

/// The same format: nothing is rounded.
constexpr void copy(const ConstTensorView& from, const TensorView& to) {
  for (size_t i = 0; i < from.elements; ++i) store_code(to, i, int_repr(from, i));
  const size_t count = granules(to.format, to.elements, to.channels);
  if (to.format.kind == FormatKind::kBfp)
    std::copy_n(from.exponents.begin(), count, to.exponents.begin());
  else
    std::copy_n(from.scales.begin(), count, to.scales.begin());
  if (to.format.kind == FormatKind::kAsym)
    std::copy_n(from.zero_points.begin(), count, to.zero_points.begin());
}

constexpr Error check(const ConstTensorView& from, const TensorView& to) {
  if (!has_conversion(from.format, to.format))
    return {.code = ErrorCode::kBadConversion,
            .found = int64_t(from.format.kind),
            .limit = int64_t(to.format.kind)};
  if (Error e = check_view(from)) return e;
  if (Error e = check_view(to)) return e;
  if (from.elements != to.elements)
    return {.code = ErrorCode::kBadShape, .found = int64_t(from.elements), .limit = int64_t(to.elements)};
  return {};
}

/// One of four, so that firmware that knows its formats links no other.
template <bool from_float, bool to_float>
constexpr Result<Conversion> run(const ConstTensorView& from, const TensorView& to,
                                 const ConvertOptions& options) {
  if (Error e = check(from, to)) return e;
  Conversion counts;
  const bool is_dynamic = options.scales == TargetScales::kDynamic;
  const bool has_format = from.format == to.format && from.granule_elements() == to.granule_elements();
  if (has_format && (is_dynamic || !to.format.has_scale())) {
    copy(from, to);
    return counts;
  }
  if constexpr (!to_float) {
    if (is_dynamic) set_scales<from_float>(from, to, options.rounding);
    if constexpr (from_float)
      floats_to_codes(from, to, options, counts);
    else
      codes_to_codes(from, to, options, counts);
  } else if constexpr (!from_float) {
    codes_to_floats(from, to, counts);
  }
  return counts;
}

}  // namespace conversion

/// to[i] = from[i] with one rounding, or none where the value has a code.  A tensor that has the format already is copied.
/// Floats round to nearest, ties to even; `options.rounding` is for codes.  The two must not overlap.
/// Errors: kBadConversion for a pair without a meaning; those of check_view; kBadShape if the numbers of elements differ.
/// Requires valid scales.  Source: SPEC 12.
constexpr Result<Conversion> convert(const ConstTensorView& from, const TensorView& to,
                                     const ConvertOptions& options = {}) {
  using conversion::run;
  if (from.format.is_float())
    return to.format.is_float() ? run<true, true>(from, to, options) : run<true, false>(from, to, options);
  return to.format.is_float() ? run<false, true>(from, to, options) : run<false, false>(from, to, options);
}

/// The same where both formats are known; a pair without a meaning does not compile. The views take the formats.
template <AnyFormat From, AnyFormat To>
requires Convertible<From, To>
constexpr Result<Conversion> convert(ConstTensorView from, TensorView to,
                                     const ConvertOptions& options = {}) {
  from.format = From::kFormat;
  to.format = To::kFormat;
  return conversion::run<From::kFormat.is_float(), To::kFormat.is_float()>(from, to, options);
}

}  // namespace mantissa
