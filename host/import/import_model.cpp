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
#include "host/import/store_parameters.hpp"
#include "host/model/nearest.hpp"
#include "host/train/host_engine.hpp"

namespace mantissa::host {
namespace {

using Shapes = std::vector<size_t>;

/// Tensors that share a prefix.
struct Group {
  std::string name;
  const WeightTensor *weight = nullptr, *bias = nullptr, *mean = nullptr, *variance = nullptr;
  const WeightTensor* batches = nullptr;  ///< PyTorch's count of them, an integer without use here
  bool used = false;
};

/// Which tensor of a group a name ends in; null: none.
const WeightTensor** place_of(Group& g, const std::string& role) {
  if (role == "weight") return &g.weight;
  if (role == "bias") return &g.bias;
  if (role == "running_mean") return &g.mean;
  if (role == "running_var") return &g.variance;
  return role == "num_batches_tracked" ? &g.batches : nullptr;
}

/// What a layer wants, in PyTorch's shapes.
struct Wanted {
  int layer = -1;
  Shapes weight, bias;  ///< bias is empty where it has none
  Shapes running;       ///< of each statistic of a BatchNorm; empty elsewhere
  Shape flattened;      ///< what a Flatten before it had, if that matters; else {1, channels}
};

std::vector<Group> groups_of(std::span<const WeightTensor> weights,
                             std::vector<const WeightTensor*>& others) {
  std::vector<Group> groups;
  for (const WeightTensor& t : weights) {
    const size_t dot = t.name.rfind('.');
    const std::string role = dot == std::string::npos ? "" : t.name.substr(dot + 1);
    Group none;
    const bool is_count = place_of(none, role) == &none.batches;
    if (place_of(none, role) == nullptr || t.is_float == is_count) {
      others.push_back(&t);
      continue;
    }
    const std::string name = t.name.substr(0, dot);
    auto found = std::ranges::find(groups, name, &Group::name);
    if (found == groups.end()) found = groups.insert(groups.end(), Group{name});
    *place_of(*found, role) = &t;
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
    Wanted w{static_cast<int>(i), {outputs}, {}, {}, flattened};
    if (l.running >= 0) w.running = {outputs};
    if (l.node.op == Op::kGroupNorm && l.node.groups > 1 && flattened.steps > 1)
      throw Error(
          fmt::format("layer {}: groups of channels behind a flatten of several steps are others in "
                      "PyTorch, and are not imported",
                      in_quotes(description.layer_names[i])));
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
    if (!l.node.is_norm()) flattened = {1, 0};
    all.push_back(w);
  }
  return all;
}

bool fits(const Wanted& w, const Group& g) {
  const Shapes none;
  return g.weight != nullptr && g.weight->shape == w.weight &&
         (g.bias != nullptr ? g.bias->shape : none) == w.bias &&
         (g.mean != nullptr ? g.mean->shape : none) == w.running &&
         (g.variance != nullptr ? g.variance->shape : none) == w.running;
}

std::string shapes_of(const Shapes& weight, const Shapes& bias, const Shapes& running) {
  return fmt::format(
      "weight {}{}{}", weight.empty() ? "missing" : shape_text(weight),
      bias.empty() ? ", no bias" : fmt::format(", bias {}", shape_text(bias)),
      running.empty() ? "" : fmt::format(", running_mean and running_var {}", shape_text(running)));
}

std::string shapes_of(const Group& g) {
  return shapes_of(g.weight != nullptr ? g.weight->shape : Shapes{},
                   g.bias != nullptr ? g.bias->shape : Shapes{},
                   g.mean != nullptr && g.variance != nullptr ? g.mean->shape : Shapes{});
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
      report.layers.push_back({name_of(w), "", "", shapes_of(w.weight, w.bias, w.running)});
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
                                        shapes_of(wanted_[i].weight, wanted_[i].bias, wanted_[i].running),
                                        in_quotes(group->name), shapes_of(*group)));
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
      for (const WeightTensor* t : {g.weight, g.bias, g.mean, g.variance, g.batches})
        if (t != nullptr)
          report.left_over.push_back(fmt::format("{} {}", clipped(t->name, 60), shape_text(t->shape)));
  for (const WeightTensor* t : others)
    report.left_over.push_back(fmt::format("{} {}", clipped(t->name, 60), shape_text(t->shape)));
  if (!options.partial) require_complete(report, matcher.mismatches());

  for (size_t i = 0; i < wanted.size(); ++i) {
    if (found[i] == nullptr) continue;
    const LayerPlan& l = host.plan().layers[static_cast<size_t>(wanted[i].layer)];
    const bool is_norm = l.node.is_norm();
    store_parameters(engine, l, l.weight, l.weight_slot, in_our_order(*found[i]->weight, wanted[i], is_norm));
    if (l.bias >= 0)
      store_parameters(engine, l, l.bias, l.bias_slot,
                       is_norm ? in_our_order(*found[i]->bias, wanted[i], true) : found[i]->bias->values);
    if (l.running < 0) continue;
    std::vector<float> running = in_our_order(*found[i]->mean, wanted[i], true);
    const std::vector<float> variances = in_our_order(*found[i]->variance, wanted[i], true);
    running.insert(running.end(), variances.begin(), variances.end());
    std::ranges::copy(std::as_bytes(std::span(running)), engine.bytes(l.running).begin());
  }
  capture(engine, model);
  return report;
}

}  // namespace mantissa::host
