// Attributes that have their default are left out; the plan's fingerprint, which the compiler checks, guards them.
#include "host/export/model_code.hpp"

#include <fmt/format.h>

#include "host/export/cpp_text.hpp"

namespace mantissa::host {
namespace {

/// Designated initialisers, separated by commas.
class Fields {
 public:
  void add(std::string_view name, std::string_view value) {
    text_ += fmt::format("{}.{} = {}", text_.empty() ? "" : ", ", name, value);
  }
  void add(std::string_view name, int32_t value) { add(name, fmt::format("{}", value)); }
  void add_unless(int32_t usual, std::string_view name, int32_t value) {
    if (value != usual) add(name, value);
  }
  std::string in_braces() const { return fmt::format("{{{}}}", text_); }

 private:
  std::string text_;
};

void add_parameters(Fields& fields, const Node& node) {
  if (node.bias == Bias::kNone) fields.add("bias", "mantissa::Bias::kNone");
  if (node.training == Training::kFrozen) fields.add("training", "mantissa::Training::kFrozen");
  if (node.output == Output::kAccumulator) fields.add("output", "mantissa::Output::kAccumulator");
}

void add_padding(Fields& fields, Padding padding) {
  switch (padding) {
    case Padding::kValid: break;
    case Padding::kSame: fields.add("padding", "mantissa::Padding::kSame"); break;
    case Padding::kExplicit: fields.add("padding", "mantissa::Padding::kExplicit"); break;
  }
}

std::string conv1d_fields(const Node& node) {
  Fields fields;
  fields.add("channels", node.outputs);
  fields.add("kernel", node.kernel);
  fields.add_unless(1, "stride", node.stride);
  fields.add_unless(1, "dilation", node.dilation);
  fields.add_unless(1, "groups", node.groups);
  add_padding(fields, node.padding);
  fields.add_unless(0, "pad_left", node.pad_left);
  fields.add_unless(0, "pad_right", node.pad_right);
  add_parameters(fields, node);
  return fields.in_braces();
}

std::string conv_transpose1d_fields(const Node& node) {
  Fields fields;
  fields.add("channels", node.outputs);
  fields.add("kernel", node.kernel);
  fields.add_unless(1, "stride", node.stride);
  fields.add_unless(0, "padding", node.pad_left);
  fields.add_unless(0, "output_padding", node.output_padding);
  fields.add_unless(1, "groups", node.groups);
  add_parameters(fields, node);
  return fields.in_braces();
}

std::string linear_fields(const Node& node) {
  Fields fields;
  fields.add("features", node.outputs);
  add_parameters(fields, node);
  return fields.in_braces();
}

void add_divisor(Fields& fields, const Node& node) {
  if (node.divisor == Divisor::kInside) fields.add("divisor", "mantissa::Divisor::kInside");
}

std::string pool_fields(const Node& node) {
  Fields fields;
  fields.add("kernel", node.kernel);
  fields.add_unless(node.kernel, "stride", node.stride);
  fields.add_unless(0, "padding", node.pad_left);
  add_divisor(fields, node);
  return fields.in_braces();
}

std::string size_code(int32_t rows, int32_t columns) { return fmt::format("{{{}, {}}}", rows, columns); }

std::string pool2d_fields(const Node& node) {
  Fields fields;
  const Vertical& v = node.vertical;
  fields.add("kernel", size_code(v.kernel, node.kernel));
  fields.add("stride", size_code(v.stride, node.stride));
  if (v.pad_top != 0 || node.pad_left != 0) fields.add("padding", size_code(v.pad_top, node.pad_left));
  add_divisor(fields, node);
  return fields.in_braces();
}

std::string conv2d_fields(const Node& node) {
  Fields fields;
  const Vertical& v = node.vertical;
  fields.add("channels", node.outputs);
  fields.add("kernel", size_code(v.kernel, node.kernel));
  if (v.stride != 1 || node.stride != 1) fields.add("stride", size_code(v.stride, node.stride));
  if (v.dilation != 1 || node.dilation != 1) fields.add("dilation", size_code(v.dilation, node.dilation));
  fields.add_unless(1, "groups", node.groups);
  add_padding(fields, node.padding);
  if (node.padding == Padding::kExplicit)
    fields.add("pad",
               fmt::format("{{{}, {}, {}, {}}}", v.pad_top, v.pad_bottom, node.pad_left, node.pad_right));
  add_parameters(fields, node);
  return fields.in_braces();
}

std::string_view rounding_code(Rounding rounding) {
  switch (rounding) {
    case Rounding::kHalfAway: return "mantissa::Rounding::kHalfAway";
    case Rounding::kHalfEven: return "mantissa::Rounding::kHalfEven";
    case Rounding::kFloor: return "mantissa::Rounding::kFloor";
    case Rounding::kStochastic: return "mantissa::Rounding::kStochastic";
  }
  return "";
}

std::string_view scaling_code(Scaling scaling) {
  switch (scaling) {
    case Scaling::kDynamic: return "mantissa::Scaling::kDynamic";
    case Scaling::kDelayed: return "mantissa::Scaling::kDelayed";
  }
  return "";
}

std::string setting_fields(const WireSetting& setting) {
  Fields fields;
  fields.add_unless(0, "bits", setting.bits);
  if (setting.kind == FormatKind::kAsym) fields.add("kind", "mantissa::FormatKind::kAsym");
  if (setting.kind == FormatKind::kBfp) fields.add("kind", "mantissa::FormatKind::kBfp");
  fields.add_unless(0, "group", setting.group);
  if (setting.scale != 0.0f) fields.add("scale", cpp_float(setting.scale));
  fields.add_unless(0, "zero_point", setting.zero_point);
  if (setting.scaling) fields.add("scaling", scaling_code(*setting.scaling));
  if (setting.rounding) fields.add("rounding", rounding_code(*setting.rounding));
  return fields.in_braces();
}

std::string norm_fields(const Node& node) {
  Fields fields;
  if (node.op == Op::kGroupNorm) fields.add("groups", node.groups);
  fields.add("epsilon", cpp_float(node.epsilon));
  if (node.op == Op::kBatchNorm) fields.add("momentum", cpp_float(node.momentum));
  add_parameters(fields, node);
  return fields.in_braces();
}

std::string number_code(int32_t layer) {
  if (layer == kLayerBefore) return "mantissa::kLayerBefore";
  return layer == kModelInput ? "mantissa::kModelInput" : fmt::format("{}", layer);
}

std::string node_code(const Node& node) {
  switch (node.op) {
    case Op::kLinear: return fmt::format("mantissa::linear({})", linear_fields(node));
    case Op::kConv1d: return fmt::format("mantissa::conv1d({})", conv1d_fields(node));
    case Op::kConvTranspose1d:
      return fmt::format("mantissa::conv_transpose1d({})", conv_transpose1d_fields(node));
    case Op::kConv2d: return fmt::format("mantissa::conv2d({})", conv2d_fields(node));
    case Op::kMaxPool2d: return fmt::format("mantissa::max_pool2d({})", pool2d_fields(node));
    case Op::kAvgPool2d: return fmt::format("mantissa::avg_pool2d({})", pool2d_fields(node));
    case Op::kRelu: return "mantissa::relu()";
    case Op::kMaxPool1d: return fmt::format("mantissa::max_pool1d({})", pool_fields(node));
    case Op::kAvgPool1d: return fmt::format("mantissa::avg_pool1d({})", pool_fields(node));
    case Op::kGlobalAvgPool1d: return "mantissa::global_avg_pool1d()";
    case Op::kAdaptiveAvgPool1d:
      return fmt::format("mantissa::adaptive_avg_pool1d({{.steps = {}}})", node.outputs);
    case Op::kAdaptiveAvgPool2d:
      return fmt::format("mantissa::adaptive_avg_pool2d({{.size = {}}})",
                         size_code(node.output_rows, node.outputs));
    case Op::kFlatten: return "mantissa::flatten()";
    case Op::kLayerNorm: return fmt::format("mantissa::layer_norm({})", norm_fields(node));
    case Op::kGroupNorm: return fmt::format("mantissa::group_norm({})", norm_fields(node));
    case Op::kBatchNorm: return fmt::format("mantissa::batch_norm({})", norm_fields(node));
    case Op::kLeakyRelu: return fmt::format("mantissa::leaky_relu({{.slope = {}}})", cpp_float(node.slope));
    case Op::kRelu6: return "mantissa::relu6()";
    case Op::kSigmoid: return "mantissa::sigmoid()";
    case Op::kTanh: return "mantissa::tanh()";
    case Op::kAdd:
    case Op::kConcat:
      return fmt::format("mantissa::{}({{.with = {}}})", type_name(node.op), number_code(node.other));
    case Op::kSoftmax: return "mantissa::softmax()";
    case Op::kDropout: return fmt::format("mantissa::dropout({{.p = {}}})", cpp_float(node.drop));
    case Op::kQuantize:
      return fmt::format("mantissa::quantize({{{}, {}}})", setting_fields(node.activation),
                         setting_fields(node.error));
  }
  return "";
}

std::string format_code(Format format) {
  switch (format.kind) {
    case FormatKind::kFloat32: return "mantissa::float32_format()";
    case FormatKind::kSym:
      return format.group == 0 ? fmt::format("mantissa::sym_format({})", format.bits)
                               : fmt::format("mantissa::sym_format({}, {})", format.bits, format.group);
    case FormatKind::kSymInt32: return "mantissa::sym_int32_format()";
    case FormatKind::kAsym: return fmt::format("mantissa::asym_format({}, {})", format.bits, format.group);
    case FormatKind::kBfp: return fmt::format("mantissa::bfp_format({}, {})", format.bits, format.group);
    case FormatKind::kInt32: return "mantissa::int32_format()";
    case FormatKind::kBool: return "mantissa::bool_format()";
  }
  return "";
}

std::string formats_code(const LayerFormats& f, std::string_view indent) {
  return fmt::format(
      "{{.activation = {1},\n{0} .error = {2},\n{0} .weight = {3},\n{0} .parameter = {4},\n{0} .gradient = "
      "{5},\n"
      "{0} .momentum = {6},\n{0} .bias_gradient = {7},\n{0} .activation_rounding = {8},\n{0} .error_rounding "
      "= {9},\n"
      "{0} .parameter_rounding = {10}}}",
      indent, format_code(f.activation), format_code(f.error), format_code(f.weight),
      format_code(f.parameter), format_code(f.gradient), format_code(f.momentum),
      format_code(f.bias_gradient), rounding_code(f.activation_rounding), rounding_code(f.error_rounding),
      rounding_code(f.parameter_rounding));
}

std::string_view accumulation_code(Accumulation accumulation) {
  switch (accumulation) {
    case Accumulation::kAuto: return "mantissa::Accumulation::kAuto";
    case Accumulation::kInt32: return "mantissa::Accumulation::kInt32";
  }
  return "";
}

std::string_view gradient_accumulation_code(GradientAccumulation accumulation) {
  switch (accumulation) {
    case GradientAccumulation::kRescale: return "mantissa::GradientAccumulation::kRescale";
    case GradientAccumulation::kFixed: return "mantissa::GradientAccumulation::kFixed";
  }
  return "";
}

std::string overrides_code(const NamedRecipe& recipe, const Description& description) {
  if (recipe.overrides.empty()) return "";
  std::string code = "constexpr mantissa::LayerOverride kOverrides[] = {\n";
  for (const LayerOverride& o : recipe.overrides)
    code += fmt::format("    // {}\n    {{.layer = {},\n     .formats = {}}},\n",
                        cpp_comment(description.layer_names.at(static_cast<size_t>(o.layer))), o.layer,
                        formats_code(o.formats, "                "));
  return code + "};\n";
}

std::string shape_code(Shape s) {
  return s.width > 0 ? fmt::format("image_shape({}, {}, {})", s.height(), s.width, s.channels)
                     : fmt::format("Shape{{{}, {}}}", s.steps, s.channels);
}

}  // namespace

namespace {

std::string_view loss_name(Loss loss) {
  switch (loss) {
    case Loss::kCrossEntropy: return "mantissa::Loss::kCrossEntropy";
    case Loss::kMse: return "mantissa::Loss::kMse";
    case Loss::kL1: return "mantissa::Loss::kL1";
    case Loss::kHuber: return "mantissa::Loss::kHuber";
    case Loss::kBce: return "mantissa::Loss::kBce";
  }
  return "";
}

std::string class_weights_code(const Description& d) {
  std::string list;
  for (const float weight : d.class_weights) list += (list.empty() ? "" : ", ") + cpp_float(weight);
  return list.empty() ? "" : fmt::format("constexpr float kClassWeights[] = {{{}}};\n", list);
}

/// Nothing for CrossEntropy without attributes.
std::string loss_code(const Description& d) {
  const LossSettings& s = d.loss_settings;
  Fields fields;
  if (s.reduction == LossReduction::kSum) fields.add("reduction", "mantissa::LossReduction::kSum");
  if (s.smoothing != 0.0f) fields.add("smoothing", cpp_float(s.smoothing));
  if (!d.class_weights.empty()) fields.add("class_weights", "kClassWeights");
  if (d.loss == Loss::kHuber) fields.add("delta", cpp_float(s.delta));
  const std::string settings = fields.in_braces();
  if (settings == "{}") return d.loss == Loss::kCrossEntropy ? "" : std::string(loss_name(d.loss));
  return fmt::format("{}, mantissa::LossSettings{}", loss_name(d.loss), settings);
}

}  // namespace

std::string model_code(const Description& description) {
  std::string code = class_weights_code(description);
  code += fmt::format("constexpr auto kModel = mantissa::make_model(\n    mantissa::{}",
                      shape_code(description.input));
  if (const std::string loss = loss_code(description); !loss.empty()) code += ", " + loss;
  std::string comment;
  for (size_t i = 0; i < description.nodes.size(); ++i) {
    const Node& node = description.nodes[i];
    const std::string after =
        node.input == kLayerBefore ? "" : fmt::format(".after({})", number_code(node.input));
    code += fmt::format(",{}\n    {}{}", comment, node_code(node), after);
    comment = fmt::format("  // {}", cpp_comment(description.layer_names[i]));
  }
  return fmt::format("{});{}\n", code, comment);
}

std::string recipe_code(const NamedRecipe& recipe, const Description& description) {
  const Recipe& r = recipe.settings;
  return fmt::format(
      "{}constexpr mantissa::Recipe kRecipe = {{\n    .formats = {},\n    .overrides = {},\n    .scaling = "
      "{},\n"
      "    .margin = {},\n    .decay = {},\n    .wire_memory = {},\n"
      "    .accumulation = {},\n    .gradient_accumulation = {}}};\n",
      overrides_code(recipe, description), formats_code(r.formats, "               "),
      recipe.overrides.empty() ? "{}" : "kOverrides", scaling_code(r.scaling), cpp_float(r.margin),
      cpp_float(r.decay),
      r.wire_memory == WireMemory::kPacked ? "mantissa::WireMemory::kPacked"
                                           : "mantissa::WireMemory::kOperands",
      accumulation_code(r.accumulation), gradient_accumulation_code(r.gradient_accumulation));
}

}  // namespace mantissa::host
