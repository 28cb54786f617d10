// Bodies of sums.hpp. Plain loops: compiled once as the reference and once for each vector target.
#include "mantissa/kernels/sums.hpp"

namespace mantissa {
namespace MANTISSA_KERNEL_NAMESPACE {

template <class Sum, class Bias, class Mask>
uint64_t finish_rows(const FinishSums& f) {
  uint64_t largest = 0;
  for (int32_t r = 0; r < f.rows; ++r) {
    Sum* row = static_cast<Sum*>(f.sums) + ptrdiff_t(r) * f.stride;
    if (f.bias != nullptr) {
      const Bias* bias = static_cast<const Bias*>(f.bias);
      for (int32_t c = 0; c < f.columns; ++c) row[c] += bias[c];
    }
    if (f.activation == Activation::kRelu)
      for (int32_t c = 0; c < f.columns; ++c) row[c] = row[c] > Sum(0) ? row[c] : Sum(0);
    if (f.mask != nullptr) {
      const Mask* mask = static_cast<const Mask*>(f.mask) + ptrdiff_t(r) * f.mask_stride;
      for (int32_t c = 0; c < f.columns; ++c) row[c] = mask[c] > Mask(0) ? row[c] : Sum(0);
    }
    if constexpr (sizeof(Sum) == 4 && Sum(0.5f) == Sum(0)) {
      int32_t high = 0, low = 0;
      for (int32_t c = 0; c < f.columns; ++c) {
        high = row[c] > high ? row[c] : high;
        low = row[c] < low ? row[c] : low;
      }
      const uint64_t magnitude = high > -int64_t(low) ? uint64_t(high) : uint64_t(-int64_t(low));
      largest = magnitude > largest ? magnitude : largest;
    } else if constexpr (sizeof(Sum) == 8) {
      for (int32_t c = 0; c < f.columns; ++c) {
        const uint64_t magnitude = uint64_t(row[c] < 0 ? -row[c] : row[c]);
        largest = magnitude > largest ? magnitude : largest;
      }
    }
  }
  return largest;
}

/// Returns the largest magnitude (0 for float32).
template <Operands kOperands = Operands::kAny>
uint64_t finish_sums(const FinishSums& f) {
  const bool mask8 = is<kOperands>(f.mask_element, Element::kInt8);
  if (is<kOperands>(f.element, Element::kFloat32)) return finish_rows<float, float, float>(f);
  if (is<kOperands>(f.element, Element::kInt64))
    return mask8 ? finish_rows<int64_t, int32_t, int8_t>(f) : finish_rows<int64_t, int32_t, int16_t>(f);
  return mask8 ? finish_rows<int32_t, int32_t, int8_t>(f) : finish_rows<int32_t, int32_t, int16_t>(f);
}

/// The common case, without a call or branch per element.
template <class Code>
uint64_t rescale_row_half_away(const int32_t* sums, Code* codes, int32_t n, Multiplier by, CodeRange range) {
  const int64_t half = int64_t(1) << (by.shift - 1), low = range.low, high = range.high;
  const int64_t mantissa = by.mantissa;
  const int32_t shift = by.shift;
  int64_t saturated = 0;
  for (int32_t i = 0; i < n; ++i) {
    const int64_t product = sums[i] * mantissa;
    const int64_t code = (product + half + (product >> 63)) >> shift;
    const int64_t floored = code < low ? low : code;
    const int64_t clamped = floored > high ? high : floored;
    saturated += code != clamped;
    codes[i] = Code(clamped);
  }
  return uint64_t(saturated);
}

template <class Sum, class Code>
uint64_t rescale_row(const Sum* sums, Code* codes, const RescaleSums& r, uint32_t first_index) {
  uint64_t saturated = 0;
  const CodeRange wider = {r.range.low - 1, r.range.high + 1};
  for (int32_t i = 0; i < r.columns; ++i) {
    const uint32_t bits =
        r.rounding == Rounding::kStochastic ? random16(r.key, first_index + uint32_t(i)) : 0;
    const int32_t code = rescale_wide(sums[i], r.by, r.rounding, wider, bits);
    const int32_t clamped = clamp_code(code, r.range);
    saturated += code != clamped;
    codes[i] = Code(clamped);
  }
  return saturated;
}

template <class Sum, class Code>
uint64_t rescale_rows(const RescaleSums& r) {
  const Sum* sums = static_cast<const Sum*>(r.sums);
  Code* codes = static_cast<Code*>(r.codes);
  uint64_t saturated = 0;
  if constexpr (sizeof(Sum) == 4) {
    if (r.rounding == Rounding::kHalfAway) {
      if (r.code_stride == r.columns)
        return rescale_row_half_away(sums, codes, r.rows * r.columns, r.by, r.range);
      for (int32_t row = 0; row < r.rows; ++row)
        saturated += rescale_row_half_away(sums + ptrdiff_t(row) * r.columns,
                                           codes + ptrdiff_t(row) * r.code_stride, r.columns, r.by, r.range);
      return saturated;
    }
  }
  for (int32_t row = 0; row < r.rows; ++row)
    saturated += rescale_row(sums + ptrdiff_t(row) * r.columns, codes + ptrdiff_t(row) * r.code_stride, r,
                             r.first_index + uint32_t(row) * uint32_t(r.columns));
  return saturated;
}

/// Returns the number of codes that did not fit.
template <Operands kOperands = Operands::kAny>
uint64_t rescale_sums(const RescaleSums& r) {
  const bool narrow = is<kOperands>(r.code_element, Element::kInt8);
  if (is<kOperands>(r.element, Element::kInt64))
    return narrow ? rescale_rows<int64_t, int8_t>(r) : rescale_rows<int64_t, int16_t>(r);
  return narrow ? rescale_rows<int32_t, int8_t>(r) : rescale_rows<int32_t, int16_t>(r);
}

template <class Code, class Sum>
void add_columns(const ColumnSums& s) {
  Sum* sums = static_cast<Sum*>(s.sums);
  for (int32_t r = 0; r < s.rows; ++r) {
    const Code* row = static_cast<const Code*>(s.codes) + ptrdiff_t(r) * s.stride;
    for (int32_t c = 0; c < s.columns; ++c) sums[c] += row[c];
  }
}

template <Operands kOperands = Operands::kAny>
void column_sums(const ColumnSums& s) {
  const bool wide = is<kOperands>(s.sum_element, Element::kInt64);
  if (is<kOperands>(s.element, Element::kFloat32))
    add_columns<float, float>(s);
  else if (is<kOperands>(s.element, Element::kInt8))
    wide ? add_columns<int8_t, int64_t>(s) : add_columns<int8_t, int32_t>(s);
  else
    wide ? add_columns<int16_t, int64_t>(s) : add_columns<int16_t, int32_t>(s);
}

}  // namespace MANTISSA_KERNEL_NAMESPACE
}  // namespace mantissa
