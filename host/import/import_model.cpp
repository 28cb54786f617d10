// First what belongs to whom, then the values: an engine is filled only when all is known to fit.
#include "host/import/import_model.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "host/data/npy.hpp"
#include "host/error.hpp"
#include "host/file/model_state.hpp"
#include "host/model/nearest.hpp"
#include "host/train/host_engine.hpp"
#include "mantissa/model/engine-inl.hpp"
#include "mantissa/num/float_bits.hpp"

namespace mantissa::host {
namespace {

using Shapes = std::vector<size_t>;

/// Tensors that share a prefix.
struct Group {
  std::string name;
  const WeightTensor *weight = nullptr, *bias = nullptr;
  bool used = false;
};

/// What a layer wants, in PyTorch's shapes.
struct Wanted {
  int layer = -1;
  Shapes weight, bias;  ///< bias is empty where it has none
  Shape flattened;      ///< what a Flatten before it had, if that matters; else {1, channels}
};

std::vector<Group> groups_of(std::span<const WeightTensor> weights,
                             std::vector<const WeightTensor*>& others) {
  std::vector<Group> groups;
  for (const WeightTensor& t : weights) {
    const size_t dot = t.name.rfind('.');
    const std::string role = dot == std::string::npos ? "" : t.name.substr(dot + 1);
    if (!t.is_float || (role != "weight" && role != "bias")) {
      others.push_back(&t);
      continue;
    }
    const std::string name = t.name.substr(0, dot);
    auto found = std::ranges::find(groups, name, &Group::name);
    if (found == groups.end()) found = groups.insert(groups.end(), Group{name});
    (role == "weight" ? found->weight : found->bias) = &t;
  }
  return groups;
}

std::vector<Wanted> wanted_of(const PlanView& plan, const Description& description) {
  std::vector<Wanted> all;
  Shape flattened{1, 0};
  for (size_t i = 0; i < plan.layers.size(); ++i) {
    const LayerPlan& l = plan.layers[i];
    const size_t outputs = static_cast<size_t>(l.node.outputs);
    if (l.node.op == Op::kFlatten) flattened = l.in.steps > 1 ? l.in : flattened;
    if (!l.node.has_parameters()) continue;
    Wanted w{static_cast<int>(i), {outputs}, {}, flattened};
    if (l.node.op == Op::kLinear) w.weight = {outputs, static_cast<size_t>(l.in.channels)};
    if (l.node.op == Op::kConv2d)
      w.weight = {outputs, static_cast<size_t>(l.in.channels / l.node.groups),
                  static_cast<size_t>(l.node.vertical.kernel), static_cast<size_t>(l.node.kernel)};
    if (l.node.op == Op::kConv1d) {
      w.weight = {outputs, static_cast<size_t>(l.in.channels / l.node.groups),
                  static_cast<size_t>(l.node.kernel)};
    }
    if (l.node.is_transposed())
      w.weight = {static_cast<size_t>(l.in.channels), static_cast<size_t>(l.node.outputs / l.node.groups),
                  static_cast<size_t>(l.node.kernel)};
    if (w.weight.size() == 3 && flattened.steps > 1)
      throw Error(
          fmt::format("layer {}: weights of a convolution behind a flatten of several steps are not imported",
                      in_quotes(description.layer_names[i])));
    if (l.node.bias == Bias::kPerOutput) w.bias = {outputs};
    if (l.node.op != Op::kLayerNorm) flattened = {1, 0};
    all.push_back(w);
  }
  return all;
}

bool fits(const Wanted& w, const Group& g) {
  const Shapes none;
  return g.weight != nullptr && g.weight->shape == w.weight &&
         (g.bias != nullptr ? g.bias->shape : none) == w.bias;
}

std::string shapes_of(const Shapes& weight, const Shapes& bias) {
  return fmt::format("weight {}{}", weight.empty() ? "missing" : shape_text(weight),
                     bias.empty() ? ", no bias" : fmt::format(", bias {}", shape_text(bias)));
}

std::string shapes_of(const Group& g) {
  return shapes_of(g.weight != nullptr ? g.weight->shape : Shapes{},
                   g.bias != nullptr ? g.bias->shape : Shapes{});
}

/// Pairs layers with groups.
class Matcher {
 public:
  Matcher(const Description& description, const std::vector<Wanted>& wanted, std::vector<Group>& groups,
          const ImportOptions& options)
      : description_(description),
        wanted_(wanted),
        groups_(groups),
        options_(options),
        found_(wanted.size()) {}

  /// One group or null for each wanted layer.
  std::vector<Group*> match(ImportReport& report) {
    for (const Wanted& w : wanted_)
      report.layers.push_back({name_of(w), "", "", shapes_of(w.weight, w.bias)});
    for (const auto& [layer, group] : options_.map) take_mapped(layer, group, report);
    for (size_t i = 0; i < wanted_.size(); ++i)
      if (found_[i] == nullptr) take(i, group_named(name_of(wanted_[i])), "by name", report);
    size_t next = 0;
    for (size_t i = 0; i < wanted_.size(); ++i) {
      if (found_[i] != nullptr || refused(i)) continue;
      size_t at = next;
      while (at < groups_.size() && (groups_[at].used || !fits(wanted_[i], groups_[at]))) ++at;
      if (at == groups_.size()) continue;
      take(i, &groups_[at], "by order", report);
      next = at + 1;
    }
    return found_;
  }
  const std::vector<std::string>& mismatches() const { return mismatches_; }

 private:
  const std::string& name_of(const Wanted& w) const {
    return description_.layer_names[static_cast<size_t>(w.layer)];
  }
  Group* group_named(const std::string& name) {
    const auto found = std::ranges::find(groups_, name, &Group::name);
    return found == groups_.end() ? nullptr : &*found;
  }
  bool refused(size_t i) const { return std::ranges::find(refused_, i) != refused_.end(); }

  void take_mapped(const std::string& layer, const std::string& name, ImportReport& report) {
    std::vector<std::string_view> layers, names;
    for (const Wanted& w : wanted_) layers.push_back(name_of(w));
    for (const Group& g : groups_) names.push_back(g.name);
    const auto at = std::ranges::find(layers, layer);
    if (at == layers.end())
      throw Error(fmt::format("--map {}={}: no layer {} with parameters{}", layer, name, in_quotes(layer),
                              suggestion(layer, layers)));
    Group* group = group_named(name);
    if (group == nullptr)
      throw Error(fmt::format("--map {}={}: no tensors {} in the file{}", layer, name,
                              in_quotes(name + ".weight"), suggestion(name, names)));
    if (group->used) throw Error(fmt::format("--map {}={}: those tensors are taken already", layer, name));
    take(static_cast<size_t>(at - layers.begin()), group, "as mapped", report);
  }

  void take(size_t i, Group* group, const char* how, ImportReport& report) {
    if (group == nullptr || group->used) return;
    if (!fits(wanted_[i], *group)) {
      mismatches_.push_back(fmt::format("layer {} needs {}, and {} has {}", in_quotes(name_of(wanted_[i])),
                                        shapes_of(wanted_[i].weight, wanted_[i].bias), in_quotes(group->name),
                                        shapes_of(*group)));
      refused_.push_back(i);
      return;
    }
    group->used = true;
    found_[i] = group;
    report.layers[i].group = group->name;
    report.layers[i].how = how;
  }

  const Description& description_;
  const std::vector<Wanted>& wanted_;
  std::vector<Group>& groups_;
  const ImportOptions& options_;
  std::vector<Group*> found_;
  std::vector<size_t> refused_;
  std::vector<std::string> mismatches_;
};

/// Our feature i of a flattened signal in PyTorch's count.
size_t torch_feature(size_t i, Shape flattened) {
  const size_t steps = static_cast<size_t>(flattened.steps),
               channels = static_cast<size_t>(flattened.channels);
  return steps <= 1 ? i : i % channels * steps + i / channels;
}

/// [O, C, K] as [O, K, C], [O, C, R, K] as [O, R, K, C]; columns or channels behind a Flatten in our order.
std::vector<float> in_our_order(const WeightTensor& t, const Wanted& w, bool is_norm) {
  const size_t rows = is_norm ? 1 : t.shape[0], columns = t.values.size() / std::max<size_t>(rows, 1);
  const bool is_conv = t.shape.size() >= 3;
  const size_t kernel = is_conv ? t.values.size() / (t.shape[0] * t.shape[1]) : 1,
               channels = columns / std::max<size_t>(kernel, 1);
  std::vector<float> ours(t.values.size());
  for (size_t r = 0; r < rows; ++r)
    for (size_t i = 0; i < columns; ++i) {
      const size_t from = is_conv ? i % channels * kernel + i / channels : torch_feature(i, w.flattened);
      ours[r * columns + i] = t.values[r * columns + from];
    }
  return ours;
}

/// Stores float32 parameters, or codes with a scale as initialize() would choose it.
void store(Engine& engine, const LayerPlan& l, int16_t id, int16_t slot, std::span<const float> values) {
  const Tensor& tensor = engine.plan().tensors[static_cast<size_t>(id)];
  if (tensor.format.is_float()) {
    std::ranges::copy(std::as_bytes(values), engine.bytes(id).begin());
    return;
  }
  const bool offset = l.layout == ParameterLayout::kOffset16 && tensor.role == Role::kWeight;
  const CodeView view{.layout = offset ? CodeLayout::kOffset16 : CodeLayout::kPacked,
                      .data = engine.bytes(id).data(),
                      .bits = tensor.format.bits,
                      .range = offset ? kOffsetRange : symmetric_range(tensor.format.bits)};
  float largest = 0;
  for (const float v : values) largest = std::max(largest, std::fabs(v));
  Scale& scale = engine.state(slot).scale;
  if (largest > 0)
    scale = Scale::from_float(largest) /
            Scale::normalized(static_cast<uint32_t>(view.range.high - view.range.high / 4), 0);
  for (size_t i = 0; i < values.size(); ++i) {
    const FloatParts parts = split_float(values[i]);
    const Multiplier by = multiplier(power_of_two(parts.exponent) / scale);
    store_code(view, static_cast<uint32_t>(i),
               rescale(parts.significand, by, Rounding::kHalfAway, view.range));
  }
}

void require_complete(const ImportReport& report, const std::vector<std::string>& mismatches) {
  std::vector<std::string> problems = mismatches;
  for (const ImportedLayer& l : report.layers)
    if (l.how.empty())
      problems.push_back(fmt::format("nothing fits layer {} ({})", in_quotes(l.layer), l.shapes));
  if (!report.left_over.empty())
    problems.push_back(fmt::format("left over in the file: {}", fmt::join(report.left_over, ", ")));
  if (!problems.empty())
    throw Error(fmt::format(
        "weights and model do not fit: {}; --map LAYER=NAME pairs them, --partial takes what fits",
        clipped(fmt::format("{}", fmt::join(problems, "; ")), 3000)));
}

}  // namespace

ImportReport import_weights(std::span<const WeightTensor> weights, const ImportOptions& options,
                            SavedModel& model) {
  const TrainingDefaults& training = model.description.training;
  HostEngine host(model.description, model.recipe,
                  {.batch = training.batch, .momentum = training.momentum > 0}, kernels_ref);
  Engine& engine = host.engine();
  engine.initialize(training.seed);
  engine.set_input_range(model.input_range);

  ImportReport report;
  std::vector<const WeightTensor*> others;
  std::vector<Group> groups = groups_of(weights, others);
  const std::vector<Wanted> wanted = wanted_of(host.plan(), model.description);
  Matcher matcher(model.description, wanted, groups, options);
  const std::vector<Group*> found = matcher.match(report);
  for (const Group& g : groups)
    if (!g.used)
      for (const WeightTensor* t : {g.weight, g.bias})
        if (t != nullptr)
          report.left_over.push_back(fmt::format("{} {}", clipped(t->name, 60), shape_text(t->shape)));
  for (const WeightTensor* t : others)
    report.left_over.push_back(fmt::format("{} {}", clipped(t->name, 60), shape_text(t->shape)));
  if (!options.partial) require_complete(report, matcher.mismatches());

  for (size_t i = 0; i < wanted.size(); ++i) {
    if (found[i] == nullptr) continue;
    const LayerPlan& l = host.plan().layers[static_cast<size_t>(wanted[i].layer)];
    const bool is_norm = l.node.op == Op::kLayerNorm;
    store(engine, l, l.weight, l.weight_slot, in_our_order(*found[i]->weight, wanted[i], is_norm));
    if (l.bias >= 0)
      store(engine, l, l.bias, l.bias_slot,
            is_norm ? in_our_order(*found[i]->bias, wanted[i], true) : found[i]->bias->values);
  }
  capture(engine, model);
  return report;
}

}  // namespace mantissa::host
