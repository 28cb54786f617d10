// The state of an engine by layer and role.
// The plan knows where each tensor and scale is now; a saved model knows what it is.
#include "host/file/model_state.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cstring>

#include "host/error.hpp"
#include "host/model/nearest.hpp"
#include "host/train/host_plan.hpp"

namespace mantissa::host {
namespace {

const char* words_of(StateRole role) {
  switch (role) {
    case StateRole::kWeight: return "weight";
    case StateRole::kBias: return "bias";
    case StateRole::kWeightMomentum: return "weight momentum";
    case StateRole::kBiasMomentum: return "bias momentum";
    case StateRole::kActivation: return "activation";
    case StateRole::kError: return "error";
    case StateRole::kInput: return "input";
    case StateRole::kWeightScales: return "weight scales";
    case StateRole::kActivationBelow: return "activation below zero";
    case StateRole::kErrorBelow: return "error below zero";
    case StateRole::kErrorSum: return "sum of errors";
    case StateRole::kErrorSumBelow: return "sum of errors below zero";
    case StateRole::kRunning: return "running statistics";
  }
  return "";
}

bool same_rules(const PlanSummary& a, const PlanSummary& b) {
  return a.scaling == b.scaling && a.margin == b.margin && a.decay == b.decay;
}

/// Throws Error at the first difference between the model and what the engine was planned for.
void require_same(const SavedModel& model, const PlanView& engine) {
  const int batch = smallest_batch(model.description);
  const PlanOptions options{
      .batch = batch, .micro_batch = batch, .mode = engine.summary.mode, .momentum = engine.summary.momentum};
  const HostPlan made(model.description, model.recipe, options);
  const PlanView wanted = made.view();
  const auto fail = [&model](const std::string& what) {
    throw Error(
        fmt::format("model {} with recipe {}: {} not what the engine was planned for; plan this model with "
                    "this recipe",
                    in_quotes(model.description.name), in_quotes(model.recipe.name), what));
  };
  if (wanted.summary.input != engine.summary.input) fail("its input is");
  if (wanted.layers.size() != engine.layers.size()) fail("its number of layers is");
  for (size_t i = 0; i < wanted.layers.size(); ++i) {
    const std::string& name = model.description.layer_names[i];
    if (wanted.layers[i].node != engine.layers[i].node) fail(fmt::format("layer {} is", in_quotes(name)));
    if (wanted.layers[i].formats != engine.layers[i].formats)
      fail(fmt::format("the formats of layer {} are", in_quotes(name)));
  }
  if (!same_rules(wanted.summary, engine.summary)) fail("scaling, margin or decay are");
}

template <class Saved>
const Saved& find(const std::vector<Saved>& all, const StateEntry& entry, const Description& description) {
  const auto found = std::ranges::find_if(
      all, [&entry](const Saved& s) { return s.layer == entry.layer && s.role == entry.role; });
  if (found == all.end())
    throw Error(fmt::format("model {} lacks {}, which the engine's plan has", in_quotes(description.name),
                            describe_state(entry.layer, entry.role, description)));
  return *found;
}

}  // namespace

std::vector<StateEntry> durable_tensors(const PlanView& plan) {
  std::vector<StateEntry> entries;
  for (size_t i = 0; i < plan.layers.size(); ++i) {
    const LayerPlan& l = plan.layers[i];
    for (const auto& [role, id] :
         {std::pair(StateRole::kWeight, l.weight), std::pair(StateRole::kBias, l.bias),
          std::pair(StateRole::kWeightScales, l.weight_scales),
          std::pair(StateRole::kWeightMomentum, l.weight_momentum),
          std::pair(StateRole::kBiasMomentum, l.bias_momentum), std::pair(StateRole::kRunning, l.running)})
      if (id >= 0) entries.push_back({static_cast<int>(i), role, id});
  }
  return entries;
}

std::vector<StateEntry> durable_scales(const PlanView& plan) {
  std::vector<StateEntry> entries;
  if (plan.summary.is_float) return entries;
  const auto own = [](const Wire& w, const Wire& source, int16_t slot) {
    return w.scaling == Scaling::kDelayed && w.slot != source.slot ? slot : int16_t{-1};
  };
  if (plan.summary.scaling == Scaling::kDelayed)
    entries.push_back({-1, StateRole::kInput, plan.summary.input_wire.slot});
  for (size_t i = 0; i < plan.layers.size(); ++i) {
    const LayerPlan& l = plan.layers[i];
    const Wire sum = l.sums_errors ? l.dy : Wire{};
    for (const auto& [role, id] :
         {std::pair(StateRole::kWeight, l.weight_slot), std::pair(StateRole::kBias, l.bias_slot),
          std::pair(StateRole::kWeightMomentum, l.weight_momentum_slot),
          std::pair(StateRole::kBiasMomentum, l.bias_momentum_slot),
          std::pair(StateRole::kActivation, own(l.y, l.x, l.y.slot)),
          std::pair(StateRole::kActivationBelow, own(l.y, l.x, l.y.below_slot)),
          std::pair(StateRole::kError, own(l.dx, l.dy, l.dx.slot)),
          std::pair(StateRole::kErrorBelow, own(l.dx, l.dy, l.dx.below_slot)),
          std::pair(StateRole::kErrorSum, own(sum, {}, sum.slot)),
          std::pair(StateRole::kErrorSumBelow, own(sum, {}, sum.below_slot))})
      if (id >= 0) entries.push_back({static_cast<int>(i), role, id});
  }
  return entries;
}

Encoding encoding_of(const PlanView& plan, const StateEntry& tensor) {
  if (plan.tensors[static_cast<size_t>(tensor.id)].format.is_float()) return Encoding::kFloat32;
  if (tensor.role == StateRole::kWeightScales) return Encoding::kScales;
  const LayerPlan& l = plan.layers[static_cast<size_t>(tensor.layer)];
  const bool offset = l.layout == ParameterLayout::kOffset16 && tensor.role == StateRole::kWeight;
  return offset ? Encoding::kOffset : Encoding::kPacked;
}

std::string describe_state(int layer, StateRole role, const Description& description) {
  if (layer < 0) return fmt::format("the {}", words_of(role));
  return fmt::format("the {} of layer {}", words_of(role),
                     in_quotes(description.layer_names.at(static_cast<size_t>(layer))));
}

void capture(const Engine& engine, SavedModel& model) {
  const PlanView& plan = engine.plan();
  if (plan.summary.mode != PlanMode::kTrain)
    throw Error(fmt::format(
        "model {}: an engine that was planned for inference has no state to save; plan it for training",
        in_quotes(model.description.name)));
  require_same(model, plan);
  model.description.classes = plan.summary.classes;
  model.description.training.batch = plan.summary.batch;
  model.momentum = plan.summary.momentum;
  model.progress = engine.progress();
  model.tensors.clear();
  for (const StateEntry& e : durable_tensors(plan)) {
    const std::span<const std::byte> data = engine.bytes(e.id);
    model.tensors.push_back({e.layer,
                             e.role,
                             encoding_of(plan, e),
                             plan.tensors[static_cast<size_t>(e.id)].format.bits,
                             {data.begin(), data.end()}});
  }
  model.scales.clear();
  for (const StateEntry& e : durable_scales(plan)) {
    const ScaleState& s = engine.state(e.id);
    model.scales.push_back({e.layer, e.role, s.scale, s.unit, s.seen});
  }
}

namespace {

/// What the engine's plan has of the roles that are wanted.
template <class Wanted>
void fill(const SavedModel& model, Engine& engine, Wanted wanted) {
  const PlanView& plan = engine.plan();
  require_same(model, plan);
  std::vector<StateEntry> tensors = durable_tensors(plan), scales = durable_scales(plan);
  for (std::vector<StateEntry>* entries : {&tensors, &scales})
    std::erase_if(*entries, [&](const StateEntry& e) { return !wanted(e.role); });
  // All look-ups first: one that fails must leave the engine as it is.
  std::vector<const SavedTensor*> saved_tensors;
  std::vector<const SavedScale*> saved_scales;
  for (const StateEntry& e : tensors) saved_tensors.push_back(&find(model.tensors, e, model.description));
  for (const StateEntry& e : scales) saved_scales.push_back(&find(model.scales, e, model.description));
  for (size_t i = 0; i < tensors.size(); ++i) {
    assert(saved_tensors[i]->data.size() == engine.bytes(tensors[i].id).size());
    std::ranges::copy(saved_tensors[i]->data, engine.bytes(tensors[i].id).begin());
  }
  for (size_t i = 0; i < scales.size(); ++i)
    engine.state(scales[i].id) = {
        .scale = saved_scales[i]->scale, .unit = saved_scales[i]->unit, .seen = saved_scales[i]->seen};
}

}  // namespace

void restore(const SavedModel& model, Engine& engine) {
  fill(model, engine, [](StateRole) { return true; });
  engine.progress() = model.progress;
}

void adopt(const SavedModel& model, Engine& engine, uint64_t seed) {
  const auto of_parameters = [](StateRole role) {
    return role == StateRole::kWeight || role == StateRole::kBias || role == StateRole::kWeightScales;
  };
  engine.initialize(seed);
  engine.set_input_range(model.input_range);
  fill(model, engine, of_parameters);
}

}  // namespace mantissa::host
