// Which combinations of formats have a meaning, and how parameters of a format are laid out.
#pragma once
#include "mantissa/model/plan.hpp"

namespace mantissa {

namespace formats {

constexpr Error bad(Detail detail) { return {.code = ErrorCode::kBadRecipe, .detail = detail}; }

constexpr Error check_bits(Format f) {
  if (f.kind == FormatKind::kSym && (f.bits < 2 || f.bits > 16))
    return {.code = ErrorCode::kBadBits, .found = f.bits};
  const bool computes =
      f.kind == FormatKind::kFloat32 || f.kind == FormatKind::kSym || f.kind == FormatKind::kSymInt32;
  if (!computes || f.group != 0)
    return {.code = ErrorCode::kUnsupported, .detail = Detail::kFormat, .found = int64_t(f.kind)};
  return {};
}

/// What sums of gradients are stored as. Their granules are not the recipe's choice.
constexpr Error check_gradient(Format f) {
  const bool is_coded = f.kind == FormatKind::kSym || f.kind == FormatKind::kAsym;
  if (is_coded && (f.bits < 2 || f.bits > 16)) return {.code = ErrorCode::kBadBits, .found = f.bits};
  if ((is_coded || f.is_float() || f.kind == FormatKind::kSymInt32) && f.group == 0) return {};
  return {.code = ErrorCode::kUnsupported, .detail = Detail::kGradientFormat, .found = int64_t(f.kind)};
}

constexpr bool is_sym(Format f) { return f.kind == FormatKind::kSym; }

}  // namespace formats

/// Whether the update is the integer one, of exact sums.
constexpr bool updates_exactly(const LayerFormats& f) { return f.gradient.kind == FormatKind::kSymInt32; }

/// The container of codes of a format.
constexpr Element element_of(Format f) {
  switch (f.kind) {
    case FormatKind::kFloat32: return Element::kFloat32;
    case FormatKind::kSymInt32:
    case FormatKind::kInt32: return Element::kInt32;
    case FormatKind::kBool: return Element::kInt8;
    case FormatKind::kSym:
    case FormatKind::kAsym:
    case FormatKind::kBfp: return f.bits <= 8 ? Element::kInt8 : Element::kInt16;
  }
  return Element::kFloat32;
}

/// Refuses what cannot be computed or must not be stored.
constexpr Error check_formats(const LayerFormats& f, bool is_float, Scaling scaling) {
  using namespace formats;
  for (Format each : {f.activation, f.error, f.weight, f.parameter, f.momentum})
    if (Error e = check_bits(each)) return e;
  for (Format each : {f.gradient, f.bias_gradient})
    if (Error e = check_gradient(each)) return e;
  for (Format stored : {f.activation, f.error, f.weight, f.parameter, f.momentum})
    if (stored.kind == FormatKind::kSymInt32) return bad(Detail::kStoredSymInt32);
  for (Format wire : {f.activation, f.error, f.weight})
    if (wire.is_float() != is_float) return bad(Detail::kFloatWireMix);
  const bool exact = updates_exactly(f);
  const bool exact_bias = f.bias_gradient.kind == FormatKind::kSymInt32;
  if (is_float)
    return is_sym(f.parameter) || exact || exact_bias || !f.momentum.is_float() ? bad(Detail::kFloatWireMix)
                                                                                : Error{};
  if (is_sym(f.parameter) && f.parameter.bits < f.weight.bits) return bad(Detail::kWeightWiderThanParameter);
  if (exact != exact_bias) return bad(Detail::kExactTogether);
  if (!exact) return f.momentum.is_float() ? Error{} : bad(Detail::kIntegerNeedsSym);
  if (scaling != Scaling::kDelayed) return bad(Detail::kExactNeedsConstant);
  const bool integer_state = is_sym(f.momentum) && (f.momentum.bits == 8 || f.momentum.bits == 16);
  return is_sym(f.parameter) && integer_state ? Error{} : bad(Detail::kIntegerNeedsSym);
}

constexpr ParameterLayout parameter_layout(const LayerFormats& f) {
  if (f.parameter.is_float()) return ParameterLayout::kFloat;
  return f.parameter.bits == 16 && f.weight.bits == 8 ? ParameterLayout::kOffset16 : ParameterLayout::kPacked;
}

/// Largest magnitude of a weight as operand. Upper bytes of kOffset16 reach -128.
constexpr int32_t largest_weight(const LayerFormats& f) {
  return f.weight.max_code() + (parameter_layout(f) == ParameterLayout::kOffset16 ? 1 : 0);
}

/// Whether products read the stored weights as they are.
constexpr bool reads_in_place(const LayerFormats& f) {
  if (f.weight.is_float()) return true;
  if (parameter_layout(f) == ParameterLayout::kOffset16) return true;
  return f.parameter == f.weight && (f.weight.bits == 8 || f.weight.bits == 16);
}

}  // namespace mantissa
