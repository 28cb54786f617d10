// The new model is planned as any other, takes what stays from the old one by layer and role, and gets new values where a norm was.
#include "host/export/fold_batch_norms.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <span>

#include "host/error.hpp"
#include "host/file/model_state.hpp"
#include "host/import/store_parameters.hpp"
#include "host/model/nearest.hpp"
#include "host/train/host_engine.hpp"
#include "mantissa/model/graph.hpp"

namespace mantissa::host {
namespace {

/// A layer of the new model and those of the old one that it comes from.
struct Origin {
  int layer = -1;
  int norm = -1;  ///< that is folded into it, or -1
};

/// A norm goes into the product before it where nothing else reads that.
std::vector<Origin> origins_of(const Description& d) {
  const Model model = d.model();
  std::vector<Origin> all;
  for (size_t i = 0; i < d.nodes.size(); ++i) {
    const int before = static_cast<int>(i) - 1;
    const bool is_behind_product = before >= 0 && all.back().norm < 0 && all.back().layer == before &&
                                   d.nodes[i - 1].is_product() &&
                                   planning::source_of(model, before + 1) == before &&
                                   planning::only_reader(model, before) == before + 1;
    if (d.nodes[i].op == Op::kBatchNorm && is_behind_product)
      all.back().norm = static_cast<int>(i);
    else
      all.push_back({static_cast<int>(i)});
  }
  return all;
}

/// What layer `at` of the new model reads, which in the old one was this layer.
int32_t layer_read(const std::vector<Origin>& origins, size_t at, int32_t old) {
  const auto found =
      std::ranges::find_if(origins, [=](const Origin& o) { return o.layer == old || o.norm == old; });
  const auto now = old < 0 ? kModelInput : static_cast<int32_t>(found - origins.begin());
  const bool is_before = at == 0 ? old < 0 : now == static_cast<int32_t>(at) - 1;
  return is_before ? kLayerBefore : now;
}

Description folded_description(const Description& old, const std::vector<Origin>& origins,
                               FoldReport& report) {
  Description d = old;
  d.nodes.clear();
  d.layer_names.clear();
  const Model model = old.model();
  for (const Origin& o : origins) {
    Node node = old.nodes.at(static_cast<size_t>(o.layer));
    const std::string& name = old.layer_names.at(static_cast<size_t>(o.layer));
    if (o.norm >= 0) {
      node.bias = Bias::kPerOutput;
      report.folded.push_back(old.layer_names.at(static_cast<size_t>(o.norm)));
    } else if (node.op == Op::kBatchNorm) {
      node.training = Training::kFrozen;
      report.frozen.push_back(name);
    }
    const size_t at = d.nodes.size();
    node.input = layer_read(origins, at, planning::source_of(model, o.layer));
    if (node.takes_two()) node.other = layer_read(origins, at, planning::other_of(model, o.layer));
    d.nodes.push_back(node);
    d.layer_names.push_back(name);
  }
  return d;
}

/// A folded layer's wires are those of the norm, its parameters its own.
NamedRecipe folded_recipe(const NamedRecipe& old, const std::vector<Origin>& origins) {
  NamedRecipe recipe = old;
  recipe.overrides.clear();
  const Recipe before = old.recipe();
  for (size_t i = 0; i < origins.size(); ++i) {
    LayerFormats formats = before.at(origins[i].layer);
    if (origins[i].norm >= 0) {
      const LayerFormats of_norm = before.at(origins[i].norm);
      formats.activation = of_norm.activation;
      formats.activation_rounding = of_norm.activation_rounding;
      formats.error = of_norm.error;
      formats.error_rounding = of_norm.error_rounding;
    }
    if (formats != before.formats) recipe.overrides.push_back({static_cast<int32_t>(i), formats});
  }
  return recipe;
}

std::vector<double> values_of(const Engine& engine, const LayerPlan& l, int16_t tensor, int32_t count) {
  std::vector<double> values(static_cast<size_t>(count));
  for (int32_t i = 0; tensor >= 0 && i < count; ++i)
    values[static_cast<size_t>(i)] = static_cast<double>(engine.parameter_value(l, tensor, i));
  return values;
}

struct Folded {
  std::vector<float> weights, biases;
};

Folded fold(const Engine& engine, const LayerPlan& l, const LayerPlan& norm) {
  const auto outputs = static_cast<size_t>(l.node.outputs), weights = static_cast<size_t>(l.weights);
  const std::vector<double> w = values_of(engine, l, l.weight, l.weights);
  const std::vector<double> b = values_of(engine, l, l.bias, l.node.outputs);
  const std::vector<double> gamma = values_of(engine, norm, norm.weight, norm.weights);
  const std::vector<double> beta = values_of(engine, norm, norm.bias, norm.node.outputs);
  const auto* running = reinterpret_cast<const float*>(engine.bytes(norm.running).data());
  Folded made;
  std::vector<double> factors;
  for (size_t o = 0; o < outputs; ++o) {
    const double variance = static_cast<double>(running[outputs + o]);
    factors.push_back(gamma[o] / std::sqrt(variance + static_cast<double>(norm.node.epsilon)));
    made.biases.push_back(
        static_cast<float>((b[o] - static_cast<double>(running[o])) * factors[o] + beta[o]));
  }
  for (size_t i = 0; i < weights; ++i) {
    const size_t o = l.node.is_transposed() ? i % outputs : i / (weights / outputs);
    made.weights.push_back(static_cast<float>(w[i] * factors[o]));
  }
  return made;
}

/// Which layer of the old model a tensor or scale of a new layer comes from; -1 if it is new.
int source_of(const Origin& o, StateRole role) {
  if (o.norm < 0) return o.layer;
  switch (role) {
    case StateRole::kActivation:
    case StateRole::kErrorSum:
    case StateRole::kErrorSumBelow:
    case StateRole::kActivationBelow: return o.norm;
    case StateRole::kError:
    case StateRole::kErrorBelow: return o.layer;
    case StateRole::kWeight:
    case StateRole::kBias:
    case StateRole::kWeightMomentum:
    case StateRole::kBiasMomentum:
    case StateRole::kWeightScales:
    case StateRole::kRunning:
    case StateRole::kInput: return -1;
  }
  return -1;
}

template <class Saved>
const Saved* saved(const std::vector<Saved>& all, const std::vector<Origin>& origins, const StateEntry& e) {
  const int layer = e.layer < 0 ? -1 : source_of(origins[static_cast<size_t>(e.layer)], e.role);
  if (e.layer >= 0 && layer < 0) return nullptr;
  const auto found =
      std::ranges::find_if(all, [&](const Saved& s) { return s.layer == layer && s.role == e.role; });
  return found == all.end() ? nullptr : &*found;
}

}  // namespace

FoldReport fold_batch_norms(SavedModel& model) {
  const Description& old = model.description;
  if (model.tensors.empty())
    throw Error(
        fmt::format("model {} has not been trained, so its batch norms have no statistics to fold; take a "
                    "saved model (*.mnt)",
                    in_quotes(old.name)));
  if (std::ranges::none_of(old.nodes, [](const Node& n) { return n.op == Op::kBatchNorm; }))
    throw Error(fmt::format("model {} has no batch_norm to fold", in_quotes(old.name)));
  FoldReport report;
  const std::vector<Origin> origins = origins_of(old);
  const int batch = smallest_batch(old);
  HostEngine from(old, model.recipe, {.batch = batch, .micro_batch = batch, .momentum = model.momentum},
                  kernels_ref);
  restore(model, from.engine());

  SavedModel made = model;
  made.description = folded_description(old, origins, report);
  made.recipe = folded_recipe(model.recipe, origins);
  HostEngine host(made.description, made.recipe, {.batch = 1, .momentum = model.momentum}, kernels_ref);
  Engine& engine = host.engine();
  engine.initialize(model.progress.seed);
  for (const StateEntry& e : durable_tensors(host.plan()))
    if (const SavedTensor* t = saved(model.tensors, origins, e))
      std::ranges::copy(t->data, engine.bytes(e.id).begin());
  for (const StateEntry& e : durable_scales(host.plan()))
    if (const SavedScale* s = saved(model.scales, origins, e))
      engine.state(e.id) = {.scale = s->scale, .unit = s->unit, .seen = s->seen};
  for (size_t i = 0; i < origins.size(); ++i) {
    if (origins[i].norm < 0) continue;
    const LayerPlan& l = host.plan().layers[i];
    if (l.layout == ParameterLayout::kGranules)
      throw Error(
          fmt::format("layer {}: weights with several scales, zero points or exponents are not folded "
                      "into; export a model that was trained with one scale, or without --fold",
                      in_quotes(made.description.layer_names[i])));
    const PlanView plan = from.plan();
    const Folded folded = fold(from.engine(), plan.layers[static_cast<size_t>(origins[i].layer)],
                               plan.layers[static_cast<size_t>(origins[i].norm)]);
    store_parameters(engine, l, l.weight, l.weight_slot, folded.weights);
    store_parameters(engine, l, l.bias, l.bias_slot, folded.biases);
  }
  engine.progress() = model.progress;
  const int training_batch = made.description.training.batch;
  capture(engine, made);
  made.description.training.batch = training_batch;
  model = std::move(made);
  return report;
}

}  // namespace mantissa::host
