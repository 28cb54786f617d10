// Which combinations of formats have a meaning, and how parameters of a format are laid out.
#pragma once
#include "mantissa/plan/plan.hpp"

namespace mantissa {

namespace formats {

constexpr Error bad(Detail detail) { return {.code = ErrorCode::kBadRecipe, .detail = detail}; }

constexpr Error check_bits(Format f) {
  if (f.is_narrow() && (f.bits < 2 || f.bits > 16)) return {.code = ErrorCode::kBadBits, .found = f.bits};
  if (!f.is_quantity())
    return {.code = ErrorCode::kUnsupported, .detail = Detail::kFormat, .found = int64_t(f.kind)};
  if (f.kind == FormatKind::kBfp && f.granularity() != Granularity::kGroup)
    return {.code = ErrorCode::kBadGroupSize, .found = f.group == kPerChannel ? -1 : 0};
  return {};
}

/// The codes of a channel of a wire do not lie together.
constexpr Error check_wire(Format f) {
  if (f.granularity() != Granularity::kChannel) return check_bits(f);
  return {.code = ErrorCode::kUnsupported, .detail = Detail::kWireChannels};
}

/// What products read, or what is held in a form of its own: Float32, or Sym with one scale.
constexpr Error check_plain(Format f) {
  if (Error e = check_bits(f)) return e;
  const bool is_plain = !f.is_narrow() || (f.kind == FormatKind::kSym && f.group == 0);
  return is_plain
             ? Error{}
             : Error{.code = ErrorCode::kUnsupported, .detail = Detail::kFormat, .found = int64_t(f.kind)};
}

/// What sums of gradients are stored as. Their granules are not the recipe's choice.
constexpr Error check_gradient(Format f) {
  const bool is_coded = f.kind == FormatKind::kSym || f.kind == FormatKind::kAsym;
  if (is_coded && (f.bits < 2 || f.bits > 16)) return {.code = ErrorCode::kBadBits, .found = f.bits};
  if ((is_coded || f.is_float() || f.kind == FormatKind::kSymInt32) && f.group == 0) return {};
  return {.code = ErrorCode::kUnsupported, .detail = Detail::kGradientFormat, .found = int64_t(f.kind)};
}

}  // namespace formats

/// Whether products read codes of the format as they are: Sym with one scale.
constexpr bool is_operand(Format f) { return f.kind == FormatKind::kSym && f.group == 0; }

/// As what products read a wire of the format. code - zero_point of an Asym takes one bit more, and loses nothing below 16 bits;
/// codes whose scales differ are brought to one scale at 16 bits.
constexpr Format operand_format(Format f) {
  if (f.is_float() || is_operand(f)) return f;
  return sym_format(f.kind == FormatKind::kAsym && f.group == 0 && f.bits < 16 ? f.bits + 1 : 16);
}

/// Biases are few: where the weights have more than one scale, or a zero point, they have 16 bits.
constexpr Format bias_format(Format parameter) {
  return parameter.is_float() || is_operand(parameter) ? parameter : sym_format(16);
}

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
  for (Format each : {f.activation, f.error})
    if (Error e = check_wire(each)) return e;
  for (Format each : {f.weight, f.momentum})
    if (Error e = check_plain(each)) return e;
  if (Error e = check_bits(f.parameter)) return e;
  for (Format each : {f.gradient, f.bias_gradient})
    if (Error e = check_gradient(each)) return e;
  for (Format stored : {f.activation, f.error, f.weight, f.parameter, f.momentum})
    if (stored.kind == FormatKind::kSymInt32) return bad(Detail::kStoredSymInt32);
  for (Format wire : {f.activation, f.error, f.weight})
    if (wire.is_float() != is_float) return bad(Detail::kFloatWireMix);
  const bool exact = updates_exactly(f);
  const bool exact_bias = f.bias_gradient.kind == FormatKind::kSymInt32;
  if (is_float)
    return f.parameter.is_narrow() || exact || exact_bias || !f.momentum.is_float()
               ? bad(Detail::kFloatWireMix)
               : Error{};
  if (is_operand(f.parameter) && f.parameter.bits < f.weight.bits)
    return bad(Detail::kWeightWiderThanParameter);
  if (exact != exact_bias) return bad(Detail::kExactTogether);
  if (!exact) return f.momentum.is_float() ? Error{} : bad(Detail::kIntegerNeedsSym);
  if (scaling != Scaling::kDelayed) return bad(Detail::kExactNeedsConstant);
  const bool integer_state = is_operand(f.momentum) && (f.momentum.bits == 8 || f.momentum.bits == 16);
  return f.parameter.is_narrow() && integer_state ? Error{} : bad(Detail::kIntegerNeedsSym);
}

constexpr ParameterLayout parameter_layout(const LayerFormats& f) {
  if (f.parameter.is_float()) return ParameterLayout::kFloat;
  if (!is_operand(f.parameter)) return ParameterLayout::kGranules;
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
