// Model descriptions to TOML, with every key written out.
// A saved model holds this text: it must mean the same when a default changes.
#include <fmt/format.h>

#include "host/model/description.hpp"
#include "host/model/description_names.hpp"
#include "host/model/recipe_file.hpp"

namespace mantissa::host {
namespace {

std::string name_list(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + toml_string(name);
  return fmt::format("[{}]", out);
}

/// With a point, as TOML has integers too; reads back as the same float32.
std::string number_text(float value) {
  const std::string text = fmt::format("{}", value);
  return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
}

std::string padding_text(const Node& node) {
  if (node.padding == Padding::kExplicit) return fmt::format("[{}, {}]", node.pad_left, node.pad_right);
  return toml_string(name_of(node.padding, kPaddings));
}

std::string size_text(int32_t rows, int32_t columns) { return fmt::format("[{}, {}]", rows, columns); }

std::string padding2d_text(const Node& node) {
  const Vertical& v = node.vertical;
  return node.padding == Padding::kExplicit
             ? fmt::format("[{}, {}, {}, {}]", v.pad_top, v.pad_bottom, node.pad_left, node.pad_right)
             : padding_text(node);
}

std::string parameter_keys(const Node& node) {
  return fmt::format("bias = {}\ntrainable = {}\n", node.bias == Bias::kPerOutput,
                     node.training == Training::kTrainable);
}

std::string output_key(const Node& node) {
  return node.output == Output::kCodes
             ? ""
             : fmt::format("output = {}\n", toml_string(name_of(node.output, kOutputs)));
}

std::string setting_keys(const WireSetting& setting, std::string_view prefix) {
  std::string out;
  if (setting.bits != 0)
    out += fmt::format("{}format = {}\n", prefix, toml_string(format_name(setting.format())));
  if (setting.scale != 0.0f) out += fmt::format("{}scale = {}\n", prefix, number_text(setting.scale));
  if (setting.zero_point != 0) out += fmt::format("{}zero_point = {}\n", prefix, setting.zero_point);
  if (setting.scaling)
    out += fmt::format("{}scaling = {}\n", prefix, toml_string(name_of(*setting.scaling, kScalings)));
  if (setting.rounding)
    out += fmt::format("{}rounding = {}\n", prefix, toml_string(name_of(*setting.rounding, kRoundings)));
  return out;
}

std::string divisor_key(const Node& node) {
  return node.is_average() ? fmt::format("count_include_pad = {}\n", node.divisor == Divisor::kWindow) : "";
}

std::string attributes(const Node& node) {
  switch (node.op) {
    case Op::kLinear:
      return fmt::format("features = {}\n{}{}", node.outputs, parameter_keys(node), output_key(node));
    case Op::kConv1d:
      return fmt::format(
          "channels = {}\nkernel = {}\nstride = {}\ndilation = {}\ngroups = {}\npadding = {}\n{}{}",
          node.outputs, node.kernel, node.stride, node.dilation, node.groups, padding_text(node),
          parameter_keys(node), output_key(node));
    case Op::kConv2d:
      return fmt::format(
          "channels = {}\nkernel = {}\nstride = {}\ndilation = {}\ngroups = {}\npadding = {}\n{}{}",
          node.outputs, size_text(node.vertical.kernel, node.kernel),
          size_text(node.vertical.stride, node.stride), size_text(node.vertical.dilation, node.dilation),
          node.groups, padding2d_text(node), parameter_keys(node), output_key(node));
    case Op::kConvTranspose1d:
      return fmt::format(
          "channels = {}\nkernel = {}\nstride = {}\npadding = {}\noutput_padding = {}\ngroups = {}\n{}{}",
          node.outputs, node.kernel, node.stride, node.pad_left, node.output_padding, node.groups,
          parameter_keys(node), output_key(node));
    case Op::kLayerNorm:
      return fmt::format("epsilon = {}\n{}", number_text(node.epsilon), parameter_keys(node));
    case Op::kGroupNorm:
      return fmt::format("groups = {}\nepsilon = {}\n{}", node.groups, number_text(node.epsilon),
                         parameter_keys(node));
    case Op::kBatchNorm:
      return fmt::format("epsilon = {}\nmomentum = {}\n{}", number_text(node.epsilon),
                         number_text(node.momentum), parameter_keys(node));
    case Op::kQuantize: return setting_keys(node.activation, "") + setting_keys(node.error, "error_");
    case Op::kLeakyRelu: return fmt::format("slope = {}\n", number_text(node.slope));
    case Op::kDropout: return fmt::format("p = {}\n", number_text(node.drop));
    case Op::kMaxPool1d:
    case Op::kAvgPool1d:
      return fmt::format("kernel = {}\nstride = {}\npadding = {}\n{}", node.kernel, node.stride,
                         node.pad_left, divisor_key(node));
    case Op::kMaxPool2d:
    case Op::kAvgPool2d:
      return fmt::format("kernel = {}\nstride = {}\npadding = {}\n{}",
                         size_text(node.vertical.kernel, node.kernel),
                         size_text(node.vertical.stride, node.stride),
                         size_text(node.vertical.pad_top, node.pad_left), divisor_key(node));
    case Op::kAdaptiveAvgPool1d: return fmt::format("steps = {}\n", node.outputs);
    case Op::kAdaptiveAvgPool2d: return fmt::format("size = {}\n", size_text(node.output_rows, node.outputs));
    case Op::kAdd:
    case Op::kConcat:
    case Op::kRelu:
    case Op::kRelu6:
    case Op::kSigmoid:
    case Op::kTanh:
    case Op::kSoftmax:
    case Op::kGlobalAvgPool1d:
    case Op::kFlatten: return "";
  }
  return "";
}

/// What layer i reads, by name; nothing where that is the layer before.
std::string source_keys(const Description& d, size_t i) {
  const Node& node = d.nodes[i];
  const auto name = [&](int32_t number) {
    const size_t at = number == kLayerBefore ? i : static_cast<size_t>(number) + 1;
    return toml_string(number == kModelInput || at == 0 ? "input" : d.layer_names[at - 1]);
  };
  if (node.takes_two()) return fmt::format("inputs = [{}, {}]\n", name(node.input), name(node.other));
  return node.input == kLayerBefore ? "" : fmt::format("input = {}\n", name(node.input));
}

std::string loss_keys(const Description& d) {
  const LossSettings& s = d.loss_settings;
  std::string out;
  for (const float weight : d.class_weights) out += (out.empty() ? "" : ", ") + number_text(weight);
  if (!out.empty()) out = fmt::format("class_weights = [{}]\n", out);
  if (s.smoothing != 0.0f) out += fmt::format("label_smoothing = {}\n", number_text(s.smoothing));
  if (d.loss == Loss::kHuber) out += fmt::format("huber_delta = {}\n", number_text(s.delta));
  if (s.reduction != LossReduction::kMean)
    out += fmt::format("loss_reduction = {}\n", toml_string(name_of(s.reduction, kLossReductions)));
  return out;
}

std::string output_table(const Description& d) {
  if (d.classes == 0 && d.class_names.empty()) return "";
  std::string out = "\n[output]\n";
  if (d.classes != 0) out += fmt::format("classes = {}\n", d.classes);
  if (!d.class_names.empty()) out += fmt::format("names = {}\n", name_list(d.class_names));
  return out;
}

std::string training_table(const TrainingDefaults& t) {
  return fmt::format(
      "\n[training]\nepochs = {}\nbatch = {}\nlr = {}\nmomentum = {}\nweight_decay = {}\n"
      "schedule = {}\nseed = {}\n",
      t.epochs, t.batch, t.lr, t.momentum, t.weight_decay, toml_string(name_of(t.schedule, kSchedules)),
      static_cast<int64_t>(t.seed));
}

}  // namespace

std::string write_description(const Description& d) {
  std::string out =
      fmt::format("name = {}\nloss = {}\n", toml_string(d.name), toml_string(name_of(d.loss, kLosses)));
  out += loss_keys(d);
  if (d.target != Target::kLabel)
    out += fmt::format("target = {}\n", toml_string(name_of(d.target, kTargets)));
  const std::string size = d.input.width > 0
                               ? fmt::format("height = {}\nwidth = {}", d.input.height(), d.input.width)
                               : fmt::format("steps = {}", d.input.steps);
  out += fmt::format("\n[input]\n{}\nchannels = {}\nlayout = {}\n", size, d.input.channels,
                     toml_string(name_of(d.layout, kLayouts)));
  out += output_table(d);
  for (size_t i = 0; i < d.nodes.size(); ++i)
    out += fmt::format("\n[[layer]]\ntype = {}\nname = {}\n{}{}", toml_string(type_name(d.nodes[i].op)),
                       toml_string(d.layer_names[i]), source_keys(d, i), attributes(d.nodes[i]));
  out += training_table(d.training);
  if (d.training.only_class >= 0) out += fmt::format("only_class = {}\n", d.training.only_class);
  return out;
}

}  // namespace mantissa::host
