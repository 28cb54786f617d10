// A tensor as its parts lie in memory: codes, and beside them scales, zero points or exponents. Nothing is owned.
// Integer codes (int_repr) and values (dequantize) come from the same place, so that they cannot disagree.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

#include "mantissa/num/float_bits.hpp"
#include "mantissa/tensor/format.hpp"
#include "mantissa/tensor/pack.hpp"

namespace mantissa {

/// codes: packed little-endian. Granule g (format.granularity) has scales[g] for Sym, Asym and SymInt32, zero_points[g] for
/// Asym, exponents[g] for Bfp; the other spans stay empty.
template <bool is_const>
struct BasicTensorView {
  template <class T>
  using Of = std::span<std::conditional_t<is_const, const T, T>>;

  Format format{};
  size_t elements = 0;
  size_t channels = 1;  ///< slices of the leading dimension: O of weights [O, ...]
  Of<uint8_t> codes{};
  Of<Scale> scales{};
  Of<int16_t> zero_points{};
  Of<uint8_t> exponents{};
  uint8_t container_bits = 0;  ///< distance of codes where they are not packed: 8 or 16 bits, as operands lie

  constexpr int stride_bits() const { return container_bits == 0 ? format.bits : container_bits; }
  constexpr size_t granule_elements() const { return mantissa::granule_elements(format, elements, channels); }
  constexpr operator BasicTensorView<true>() const requires(!is_const) {
    return {format, elements, channels, codes, scales, zero_points, exponents, container_bits};
  }
};
using TensorView = BasicTensorView<false>;
using ConstTensorView = BasicTensorView<true>;

/// Errors: those of check_format; kBadStorage if a span is too short, or a container not at least as wide as its code.
template <bool is_const>
constexpr Error check_view(const BasicTensorView<is_const>& v) {
  if (Error e = check_format(v.format, v.elements, v.channels)) return e;
  const auto short_of = [](size_t found, size_t needed) {
    return Error{.code = ErrorCode::kBadStorage, .found = int64_t(found), .limit = int64_t(needed)};
  };
  const int stride = v.stride_bits();
  const bool is_operand = v.format.is_narrow() && (stride == 8 || stride == 16) && stride > v.format.bits;
  if (stride != v.format.bits && !is_operand) return short_of(size_t(stride), v.format.bits);
  if (const size_t n = packed_bytes(v.elements, stride); v.codes.size() < n)
    return short_of(v.codes.size(), n);
  const size_t count = granules(v.format, v.elements, v.channels);
  const bool has_exponents = v.format.kind == FormatKind::kBfp;
  if (!has_exponents && v.scales.size() < count) return short_of(v.scales.size(), count);
  if (has_exponents && v.exponents.size() < count) return short_of(v.exponents.size(), count);
  if (v.format.kind == FormatKind::kAsym && v.zero_points.size() < count)
    return short_of(v.zero_points.size(), count);
  return {};
}

namespace views {

constexpr uint32_t load_word(const uint8_t* bytes) {
  return uint32_t(bytes[0]) | uint32_t(bytes[1]) << 8 | uint32_t(bytes[2]) << 16 | uint32_t(bytes[3]) << 24;
}
constexpr void store_word(uint8_t* bytes, uint32_t word) {
  for (int k = 0; k < 4; ++k) bytes[k] = uint8_t(word >> (8 * k));
}

}  // namespace views

/// The stored integer of element i; of Bool 0 or 1. Requires a format other than Float32.
constexpr int32_t int_repr(const ConstTensorView& v, size_t i) {
  const int stride = v.stride_bits();
  if (stride == 32) return int32_t(views::load_word(v.codes.data() + 4 * i));
  const int32_t code = unpack_code(v.codes.data(), stride, i);
  return v.format.kind == FormatKind::kBool ? code & 1 : code;
}

/// Element i of a Float32 tensor.
constexpr float load_float(const ConstTensorView& v, size_t i) {
  return std::bit_cast<float>(views::load_word(v.codes.data() + 4 * i));
}

/// Writes element i; a code must fit. Requires a format other than Float32 for codes, and Float32 for floats.
constexpr void store_code(const TensorView& v, size_t i, int32_t code) {
  const int stride = v.stride_bits();
  if (stride == 32)
    views::store_word(v.codes.data() + 4 * i, uint32_t(code));
  else
    pack_code(v.codes.data(), stride, i, code);
}
constexpr void store_float(const TensorView& v, size_t i, float x) {
  views::store_word(v.codes.data() + 4 * i, std::bit_cast<uint32_t>(x));
}

/// What one step of the codes of a granule is worth. Requires a format with scales.
constexpr Scale unit_of(const ConstTensorView& v, size_t granule) {
  return v.format.kind == FormatKind::kBfp
             ? power_of_two(int32_t(v.exponents[granule]) - bfp_bias(v.format.bits))
             : v.scales[granule];
}

constexpr int32_t zero_point_of(const ConstTensorView& v, size_t granule) {
  return v.format.kind == FormatKind::kAsym ? v.zero_points[granule] : 0;
}

/// Element i exactly, as integer * unit. Requires a quantity, and of Float32 a finite one.
constexpr ExactValue exact_value(const ConstTensorView& v, size_t i) {
  if (v.format.is_float()) {
    const FloatParts parts = split_float(load_float(v, i));
    return {parts.significand, power_of_two(parts.exponent)};
  }
  const size_t granule = i / v.granule_elements();
  return {int_repr(v, i) - zero_point_of(v, granule), unit_of(v, granule)};
}

/// Element i as float32: the exact value rounded once, ties to even; beyond the range infinity. Requires a quantity.
constexpr float dequantize(const ConstTensorView& v, size_t i) {
  return v.format.is_float() ? load_float(v, i) : nearest_float(exact_value(v, i));
}

}  // namespace mantissa
