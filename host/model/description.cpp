// Model descriptions from TOML.
// What is accepted here is bounded, so that the planner's arithmetic on it cannot overflow.
#include "host/model/description.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "host/error.hpp"
#include "host/model/description_names.hpp"
#include "host/model/recipe_file.hpp"
#include "host/model/toml_reader.hpp"

namespace mantissa::host {
namespace {

constexpr size_t kMaxLayers = 1024;
constexpr IntegerRange kSteps{1, 1 << 20};
constexpr IntegerRange kSide{1, 1 << 12};
constexpr IntegerRange kChannels{1, 1 << 16};
constexpr IntegerRange kWindow{1, 1 << 15};  // kernel, stride, dilation: a product of two fits in 31 bits
constexpr int32_t kRequired = -1;            // no value that stands for a missing key
constexpr IntegerRange kPadSteps{0, 1 << 15};
constexpr int64_t kMaxSampleSize = 1 << 24;
constexpr IntegerRange kClasses{2, 1 << 16};
constexpr IntegerRange kBits{2, 16};
constexpr NumberRange kFixedScale{1e-30, 1e30};
constexpr IntegerRange kZeroPoint{-32768, 32767};
constexpr NumberRange kEpsilon{0.0, 1.0};
constexpr NumberRange kSmoothing{0.0, 1.0};
constexpr NumberRange kDelta{1e-30, 1e30};
constexpr NumberRange kClassWeight{0.0, 1e30};
constexpr NumberRange kSlope{0.0, 1.0};
constexpr NumberRange kDropProbability{0.0, 0.9999};

void read_input(const TomlReader& input, Description& d) {
  input.allow({"steps", "height", "width", "channels", "layout"});
  const bool is_image = input.has("height") || input.has("width");
  if (is_image && input.has("steps"))
    input.fail("steps",
               "[input] is a signal with 'steps', or an image with 'height' and 'width'; give one of them");
  if (is_image)
    d.input = image_shape(input.integer("height", kSide), input.integer("width", kSide), 1);
  else
    d.input.steps = input.integer("steps", kSteps, 1);
  d.input.channels = input.integer("channels", kChannels);
  d.layout = input.choice<SampleLayout>("layout", kLayouts, SampleLayout::kChannelsLast);
  if (int64_t{d.input.steps} * d.input.channels > kMaxSampleSize)
    input.fail(is_image ? "height" : "steps",
               fmt::format("[input] has {} steps x {} channels; at most {} values make a sample",
                           d.input.steps, d.input.channels, kMaxSampleSize));
}

void read_output(const TomlReader& output, Description& d) {
  output.allow({"classes", "names"});
  d.classes = output.integer("classes", kClasses, 0);
  if (!output.has("names")) return;
  d.class_names = output.name_list("names");
  const auto count = static_cast<int>(d.class_names.size());
  if (count < kClasses.low || count > kClasses.high)
    output.fail("names", fmt::format("'names' in [output] has {} entries; a classifier has {} to {} classes",
                                     count, kClasses.low, kClasses.high));
  if (d.classes != 0 && d.classes != count)
    output.fail("names",
                fmt::format("'names' in [output] has {} entries, but 'classes' is {}; give one name per "
                            "class, or leave 'classes' out",
                            count, d.classes));
  std::set<std::string_view> seen;
  for (const std::string& name : d.class_names)
    if (!seen.insert(name).second)
      output.fail("names",
                  fmt::format("'names' in [output] has {} twice; give each class its own", in_quotes(name)));
  d.classes = count;
}

/// padding = "valid" | "same" | 3 | [3, 2]
void read_padding(const TomlReader& layer, Node& node) {
  if (!layer.has("padding")) return;
  if (layer.is_string("padding")) {
    node.padding = layer.choice<Padding>("padding", kPaddings);
    return;
  }
  node.padding = Padding::kExplicit;
  if (!layer.is_list("padding")) {
    node.pad_left = node.pad_right = layer.integer("padding", kPadSteps);
    return;
  }
  const std::vector<int32_t> sides = layer.integer_list("padding", kPadSteps);
  if (sides.size() != 2)
    layer.fail("padding",
               fmt::format("'padding' in {} has {} entries; it must be \"valid\", \"same\", steps on both "
                           "sides such as 3, or left and right such as [3, 2]",
                           layer.where(), sides.size()));
  node.pad_left = sides[0];
  node.pad_right = sides[1];
}

void read_parameters(const TomlReader& layer, Node& node) {
  node.bias = layer.boolean("bias", true) ? Bias::kPerOutput : Bias::kNone;
  node.training = layer.boolean("trainable", true) ? Training::kTrainable : Training::kFrozen;
  if (node.is_product()) node.output = layer.choice<Output>("output", kOutputs, Output::kCodes);
}

int32_t read_groups(const TomlReader& layer) { return layer.integer("groups", kChannels, 1); }

void check_groups(const TomlReader& layer, const Node& node) {
  if (node.outputs % node.groups != 0)
    layer.fail("groups", fmt::format("'groups' in {} is {}, which does not divide its {} channels",
                                     layer.where(), node.groups, node.outputs));
}

Node read_conv1d(const TomlReader& layer) {
  layer.allow({"type", "name", "channels", "kernel", "stride", "dilation", "groups", "padding", "bias",
               "trainable", "output"});
  Node node = conv1d({.channels = layer.integer("channels", kChannels),
                      .kernel = layer.integer("kernel", kWindow),
                      .stride = layer.integer("stride", kWindow, 1),
                      .dilation = layer.integer("dilation", kWindow, 1),
                      .groups = read_groups(layer)});
  check_groups(layer, node);
  read_padding(layer, node);
  read_parameters(layer, node);
  return node;
}

/// 3, or [3, 5] for rows and columns.
Size2d read_size(const TomlReader& layer, std::string_view key, IntegerRange range, int32_t spare) {
  if (!layer.is_list(key)) {
    const int32_t both = spare == kRequired ? layer.integer(key, range) : layer.integer(key, range, spare);
    return {both, both};
  }
  const std::vector<int32_t> sides = layer.integer_list(key, range);
  if (sides.size() != 2)
    layer.fail(
        key,
        fmt::format("'{}' in {} has {} entries; it must be a number for both directions such as 3, or rows "
                    "and columns such as [3, 5]",
                    key, layer.where(), sides.size()));
  return {sides[0], sides[1]};
}

/// padding = "valid" | "same" | 1 | [1, 2] | [1, 1, 2, 2]
void read_padding2d(const TomlReader& layer, Node& node) {
  if (!layer.has("padding")) return;
  if (layer.is_string("padding")) {
    node.padding = layer.choice<Padding>("padding", kPaddings);
    return;
  }
  node.padding = Padding::kExplicit;
  std::vector<int32_t> sides;
  if (layer.is_list("padding"))
    sides = layer.integer_list("padding", kPadSteps);
  else
    sides.assign(2, layer.integer("padding", kPadSteps));
  if (sides.size() == 2) sides = {sides[0], sides[0], sides[1], sides[1]};
  if (sides.size() != 4)
    layer.fail("padding",
               fmt::format("'padding' in {} has {} entries; it must be \"valid\", \"same\", a number for all "
                           "sides such as 1, rows and columns such as [1, 2], or [top, bottom, left, right]",
                           layer.where(), sides.size()));
  node.vertical.pad_top = sides[0];
  node.vertical.pad_bottom = sides[1];
  node.pad_left = sides[2];
  node.pad_right = sides[3];
}

Node read_conv2d(const TomlReader& layer) {
  layer.allow({"type", "name", "channels", "kernel", "stride", "dilation", "groups", "padding", "bias",
               "trainable", "output"});
  Node node = conv2d({.channels = layer.integer("channels", kChannels),
                      .kernel = read_size(layer, "kernel", kWindow, kRequired),
                      .stride = read_size(layer, "stride", kWindow, 1),
                      .dilation = read_size(layer, "dilation", kWindow, 1),
                      .groups = read_groups(layer)});
  check_groups(layer, node);
  read_padding2d(layer, node);
  read_parameters(layer, node);
  return node;
}

/// padding is the same on both sides.
Node read_conv_transpose1d(const TomlReader& layer) {
  layer.allow({"type", "name", "channels", "kernel", "stride", "padding", "output_padding", "groups", "bias",
               "trainable", "output"});
  Node node = conv_transpose1d({.channels = layer.integer("channels", kChannels),
                                .kernel = layer.integer("kernel", kWindow),
                                .stride = layer.integer("stride", kWindow, 1),
                                .padding = layer.integer("padding", kPadSteps, 0),
                                .output_padding = layer.integer("output_padding", kPadSteps, 0),
                                .groups = read_groups(layer)});
  check_groups(layer, node);
  if (node.output_padding >= node.stride)
    layer.fail("output_padding",
               fmt::format("'output_padding' in {} is {}; it must be less than the stride, {}", layer.where(),
                           node.output_padding, node.stride));
  read_parameters(layer, node);
  return node;
}

Node read_linear(const TomlReader& layer) {
  layer.allow({"type", "name", "features", "bias", "trainable", "output"});
  Node node = linear({.features = layer.integer("features", kChannels)});
  read_parameters(layer, node);
  return node;
}

Node read_layer_norm(const TomlReader& layer) {
  layer.allow({"type", "name", "epsilon", "bias", "trainable"});
  Node node = layer_norm({.epsilon = static_cast<float>(layer.number("epsilon", kEpsilon, 1e-5))});
  read_parameters(layer, node);
  return node;
}

Node read_group_norm(const TomlReader& layer) {
  layer.allow({"type", "name", "groups", "epsilon", "bias", "trainable"});
  Node node = group_norm({.groups = layer.integer("groups", kChannels, 1),
                          .epsilon = static_cast<float>(layer.number("epsilon", kEpsilon, 1e-5))});
  read_parameters(layer, node);
  return node;
}

Node read_batch_norm(const TomlReader& layer) {
  layer.allow({"type", "name", "epsilon", "momentum", "bias", "trainable"});
  Node node = batch_norm({.epsilon = static_cast<float>(layer.number("epsilon", kEpsilon, 1e-5)),
                          .momentum = static_cast<float>(layer.number("momentum", kSlope, 0.1))});
  read_parameters(layer, node);
  return node;
}

/// The wire's format, or only its width: sym with one scale.
void read_wire_format(const TomlReader& layer, const std::string& prefix, WireSetting& setting) {
  const std::string bits = prefix + "bits", format = prefix + "format";
  if (layer.has(bits) && layer.has(format))
    layer.fail(format, fmt::format("'{}' and '{}' in {} both say how wide the wire is; give one of them",
                                   bits, format, layer.where()));
  if (layer.has(bits)) setting.bits = static_cast<uint8_t>(layer.integer(bits, kBits));
  if (!layer.has(format)) return;
  const std::string word = layer.text(format);
  const std::optional<Format> found = format_from_name(word);
  if (!found || !found->is_narrow() || found->granularity() == Granularity::kChannel)
    layer.fail(format, fmt::format("'{}' in {} is {}; it must be sym, asym or bfp with 2 to 16 bits, such as "
                                   "\"asym8\", and \"/32\" behind it for groups of 32",
                                   format, layer.where(), in_quotes(word)));
  setting.bits = found->bits;
  setting.kind = found->kind;
  setting.group = found->group;
}

WireSetting read_setting(const TomlReader& layer, const std::string& prefix) {
  WireSetting setting;
  read_wire_format(layer, prefix, setting);
  const std::string scale = prefix + "scale", zero_point = prefix + "zero_point";
  const std::string scaling = prefix + "scaling", rounding = prefix + "rounding";
  if (layer.has(scale)) setting.scale = static_cast<float>(layer.number(scale, kFixedScale));
  if (layer.has(zero_point)) setting.zero_point = static_cast<int16_t>(layer.integer(zero_point, kZeroPoint));
  if (layer.has(scaling)) setting.scaling = layer.choice<Scaling>(scaling, kScalings);
  if (layer.has(rounding)) setting.rounding = layer.choice<Rounding>(rounding, kRoundings);
  return setting;
}

/// The wire, and with error_ before each key its error; what is left out is as the recipe says.
Node read_quantize(const TomlReader& layer) {
  layer.allow({"type", "name", "bits", "format", "scale", "zero_point", "scaling", "rounding", "error_bits",
               "error_format", "error_scale", "error_zero_point", "error_scaling", "error_rounding"});
  return quantize({read_setting(layer, ""), read_setting(layer, "error_")});
}

void check_pool_padding(const TomlReader& layer, int32_t padding, int32_t kernel) {
  if (padding > kernel / 2)
    layer.fail("padding",
               fmt::format("'padding' in {} is {}; it can be at most half of the kernel, which is {}",
                           layer.where(), padding, kernel));
}

/// Of a maximum there is nothing to count.
Divisor read_divisor(const TomlReader& layer, Op op) {
  constexpr std::string_view kKey = "count_include_pad";
  const bool is_max = op == Op::kMaxPool1d || op == Op::kMaxPool2d;
  if (is_max && layer.has(kKey))
    layer.fail(kKey,
               fmt::format("'{}' in {} is for averages; a maximum does not see its padding, leave it out",
                           kKey, layer.where()));
  return layer.boolean(kKey, true) ? Divisor::kWindow : Divisor::kInside;
}

Pool1dOptions read_pool(const TomlReader& layer, Op op) {
  layer.allow({"type", "name", "kernel", "stride", "padding", "count_include_pad"});
  const Pool1dOptions options = {.kernel = layer.integer("kernel", kWindow),
                                 .stride = layer.integer("stride", kWindow, 0),
                                 .padding = layer.integer("padding", kPadSteps, 0),
                                 .divisor = read_divisor(layer, op)};
  check_pool_padding(layer, options.padding, options.kernel);
  return options;
}

Pool2dOptions read_pool2d(const TomlReader& layer, Op op) {
  layer.allow({"type", "name", "kernel", "stride", "padding", "count_include_pad"});
  const Pool2dOptions options = {.kernel = read_size(layer, "kernel", kWindow, kRequired),
                                 .stride = read_size(layer, "stride", kWindow, 0),
                                 .padding = read_size(layer, "padding", kPadSteps, 0),
                                 .divisor = read_divisor(layer, op)};
  check_pool_padding(layer, options.padding.rows, options.kernel.rows);
  check_pool_padding(layer, options.padding.columns, options.kernel.columns);
  return options;
}

Node read_adaptive_pool(const TomlReader& layer) {
  layer.allow({"type", "name", "steps"});
  return adaptive_avg_pool1d({.steps = layer.integer("steps", kSteps)});
}

Node read_adaptive_pool2d(const TomlReader& layer) {
  layer.allow({"type", "name", "size"});
  return adaptive_avg_pool2d({.size = read_size(layer, "size", kSide, kRequired)});
}

Node read_leaky_relu(const TomlReader& layer) {
  layer.allow({"type", "name", "slope"});
  return leaky_relu({.slope = static_cast<float>(layer.number("slope", kSlope, 0.01))});
}

Node read_dropout(const TomlReader& layer) {
  layer.allow({"type", "name", "p"});
  return dropout({.p = static_cast<float>(layer.number("p", kDropProbability, 0.5))});
}

Node read_plain(const TomlReader& layer, Node node) {
  layer.allow({"type", "name"});
  return node;
}

Node read_node(const TomlReader& layer, Op op) {
  switch (op) {
    case Op::kLinear: return read_linear(layer);
    case Op::kConv1d: return read_conv1d(layer);
    case Op::kConvTranspose1d: return read_conv_transpose1d(layer);
    case Op::kConv2d: return read_conv2d(layer);
    case Op::kMaxPool2d: return max_pool2d(read_pool2d(layer, op));
    case Op::kAvgPool2d: return avg_pool2d(read_pool2d(layer, op));
    case Op::kRelu: return read_plain(layer, relu());
    case Op::kMaxPool1d: return max_pool1d(read_pool(layer, op));
    case Op::kAvgPool1d: return avg_pool1d(read_pool(layer, op));
    case Op::kAdaptiveAvgPool1d: return read_adaptive_pool(layer);
    case Op::kAdaptiveAvgPool2d: return read_adaptive_pool2d(layer);
    case Op::kGlobalAvgPool1d: return read_plain(layer, global_avg_pool1d());
    case Op::kFlatten: return read_plain(layer, flatten());
    case Op::kQuantize: return read_quantize(layer);
    case Op::kLayerNorm: return read_layer_norm(layer);
    case Op::kGroupNorm: return read_group_norm(layer);
    case Op::kBatchNorm: return read_batch_norm(layer);
    case Op::kLeakyRelu: return read_leaky_relu(layer);
    case Op::kRelu6: return read_plain(layer, relu6());
    case Op::kSigmoid: return read_plain(layer, sigmoid());
    case Op::kTanh: return read_plain(layer, mantissa::tanh());
    case Op::kSoftmax: return read_plain(layer, softmax());
    case Op::kDropout: return read_dropout(layer);
    case Op::kAdd: return read_plain(layer, add({}));
    case Op::kConcat: return read_plain(layer, concat({}));
  }
  return {};
}

/// The number of a layer that is read, as a node has it: by its name, or "input" for the model's input.
int32_t layer_number(const TomlReader& layer, std::string_view key, const std::string& name,
                     const Description& d) {
  const auto found = std::ranges::find(d.layer_names, name);
  if (found == d.layer_names.end() && name != "input") {
    std::vector<std::string_view> known(d.layer_names.begin(), d.layer_names.end());
    known.push_back("input");
    layer.fail_unknown_word(key, name, known);
  }
  const int32_t number =
      found == d.layer_names.end() ? kModelInput : static_cast<int32_t>(found - d.layer_names.begin());
  const int32_t before = d.layer_names.empty() ? kModelInput : static_cast<int32_t>(d.layer_names.size()) - 1;
  return number == before ? kLayerBefore : number;
}

/// input = "conv1", or for layers that take two: inputs = ["conv3", "relu1"].
void read_sources(const TomlReader& layer, Node& node, const Description& d) {
  if (!node.takes_two()) {
    if (layer.has("input")) node.input = layer_number(layer, "input", layer.name("input"), d);
    return;
  }
  const std::vector<std::string> names = layer.name_list("inputs");
  if (names.size() != 2)
    layer.fail("inputs", fmt::format("'inputs' in {} has {} entries; it takes two layers, such as "
                                     "[\"conv2\", \"relu1\"]",
                                     layer.where(), names.size()));
  node.input = layer_number(layer, "inputs", names[0], d);
  node.other = layer_number(layer, "inputs", names[1], d);
}

void read_layers(const TomlReader& top, Description& d) {
  std::vector<TomlReader> layers = top.table_list("layer");
  if (layers.empty() || layers.size() > kMaxLayers)
    top.fail("layer", fmt::format("{} layers; a model has 1 to {}", layers.size(), kMaxLayers));
  std::map<Op, int> count;
  std::map<std::string, size_t> taken;
  std::set<std::string> spares;  // the first relu6 would be called as the 61st relu is
  for (TomlReader& layer : layers) {
    const Op op = layer.choice<Op>("type", kOps);
    layer.rename(fmt::format("{} ({})", layer.where(), type_name(op)));
    layer.always_allow(Node{.op = op}.takes_two() ? "inputs" : "input");
    d.nodes.push_back(read_node(layer, op));
    read_sources(layer, d.nodes.back(), d);
    std::string name = default_layer_name(op, ++count[op]);
    if (layer.has("name"))
      name = layer.name("name");
    else
      while (!spares.insert(name).second) name = default_layer_name(op, ++count[op]);
    const auto [other, is_new] = taken.emplace(name, d.nodes.size());
    if (!is_new)
      layer.fail("name", fmt::format("{} and [[layer]] {} are both called {}; give one another 'name'",
                                     layer.where(), other->second, in_quotes(name)));
    d.layer_names.push_back(name);
  }
}

/// Outputs of the model where its last layer with parameters alone decides them, else 0.
int32_t known_outputs(const std::vector<Node>& nodes) {
  for (size_t i = nodes.size(); i-- > 0;) {
    if (nodes[i].op == Op::kFlatten) return 0;
    if (nodes[i].is_product()) return nodes[i].outputs;
  }
  return 0;
}

void check_classes(const TomlReader& top, const Description& d) {
  if (d.target == Target::kInput) return;  // classes are what labels say, and no outputs
  const int32_t outputs = known_outputs(d.nodes);
  if (d.classes == 0 || outputs == 0 || outputs == d.classes) return;
  top.fail("output", fmt::format("[output] has {} classes, but the layers give {} outputs; make them equal",
                                 d.classes, outputs));
}

/// Only the attributes that the loss has.
void read_loss(const TomlReader& top, Description& d) {
  d.loss = top.choice<Loss>("loss", kLosses, d.loss);
  const auto require = [&](std::string_view key, Loss loss) {
    if (top.has(key) && d.loss != loss)
      top.fail(key,
               fmt::format("'{}' is an attribute of loss = \"{}\", and this model has \"{}\"; leave it out",
                           key, name_of(loss, kLosses), name_of(d.loss, kLosses)));
    return top.has(key);
  };
  LossSettings& s = d.loss_settings;
  s.reduction = top.choice<LossReduction>("loss_reduction", kLossReductions, s.reduction);
  if (require("label_smoothing", Loss::kCrossEntropy))
    s.smoothing = static_cast<float>(top.number("label_smoothing", kSmoothing));
  if (require("huber_delta", Loss::kHuber)) s.delta = static_cast<float>(top.number("huber_delta", kDelta));
  if (!require("class_weights", Loss::kCrossEntropy)) return;
  for (const double weight : top.number_list("class_weights", kClassWeight))
    d.class_weights.push_back(static_cast<float>(weight));
}

void read_training(const TomlReader& training, TrainingDefaults& t) {
  training.allow({"epochs", "batch", "lr", "momentum", "weight_decay", "schedule", "seed", "only_class"});
  t.epochs = training.integer("epochs", kEpochs, t.epochs);
  t.batch = training.integer("batch", kBatch, t.batch);
  t.lr = training.number("lr", kLearningRate, t.lr);
  t.momentum = training.number("momentum", kMomentum, t.momentum);
  t.weight_decay = training.number("weight_decay", kWeightDecay, t.weight_decay);
  t.schedule = training.choice<Schedule>("schedule", kSchedules, t.schedule);
  if (training.has("only_class")) t.only_class = training.integer("only_class", kLabels);
  t.seed = static_cast<uint64_t>(training.integer64("seed", static_cast<int64_t>(t.seed)));
}

}  // namespace

std::string_view type_name(Op op) { return name_of(op, kOps); }

std::string default_layer_name(Op op, int number) {
  std::string_view stem = type_name(op);
  if (stem.ends_with("1d") || stem.ends_with("2d")) stem.remove_suffix(2);
  return fmt::format("{}{}", stem, number);
}

Description parse_description(std::string_view toml_text, std::string_view source_name) {
  const std::string source(source_name);
  const toml::table file = parse_toml(toml_text, source);
  const TomlReader top(file, source, "the model");
  top.allow({"name", "loss", "class_weights", "label_smoothing", "huber_delta", "loss_reduction", "target",
             "input", "output", "layer", "training"});
  Description d;
  d.name = top.name("name");
  read_loss(top, d);
  d.target = top.choice<Target>("target", kTargets, d.target);
  const bool takes_values = d.loss == Loss::kMse || d.loss == Loss::kL1 || d.loss == Loss::kHuber;
  if (d.target == Target::kInput && !takes_values)
    top.fail("target",
             "target = \"input\" compares the outputs with the sample; it needs loss = \"mse\", \"l1\" or "
             "\"huber\"");
  read_input(top.table("input"), d);
  if (top.has("output")) read_output(top.table("output"), d);
  read_layers(top, d);
  check_classes(top, d);
  if (top.has("training")) read_training(top.table("training"), d.training);
  return d;
}

Description read_description(const std::string& path) {
  return parse_description(read_text_file(path), path);
}

}  // namespace mantissa::host
