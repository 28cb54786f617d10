// plan(): from a model and a recipe to tensors, steps, offsets and proofs.
// One constexpr function for firmware (in the compiler) and host (at run time), hence the same plan and the same bits.
#pragma once
#include "mantissa/plan/errors.hpp"
#include "mantissa/plan/layer_sums.hpp"
#include "mantissa/plan/layers.hpp"
#include "mantissa/plan/placement.hpp"
#include "mantissa/plan/products.hpp"
#include "mantissa/plan/steps.hpp"
#include "mantissa/plan/wires.hpp"

namespace mantissa {

/// Compiles a model for a recipe into the caller's arrays (sizes: max_tensors, max_steps, max_proofs of the number of
/// layers; order: as long as tensors). Errors name the layer and what would fit.
constexpr Result<PlanSummary> plan_into(const Model& model, const Recipe& recipe, const PlanOptions& options,
                                        PlanBuffers buffers, std::span<int16_t> order) {
  using namespace planning;
  Draft d{model, recipe, options, buffers};
  if (Error e = check(d)) return e;
  if (Error e = make_layers(d)) return e;
  if (Error e = make_wires(d)) return e;
  if (Error e = make_errors(d)) return e;
  if (Error e = make_parameters(d)) return e;
  if (Error e = make_sums(d)) return e;
  make_steps(d);
  if (Error e = make_states(d)) return e;
  if (size_t(d.summary.tensors) > order.size())
    return Error{.code = ErrorCode::kCapacity, .found = d.summary.tensors};
  const int64_t bytes =
      place_tensors(buffers.tensors.first(size_t(d.summary.tensors)), order, options.alignment);
  if (bytes > int64_t(UINT32_MAX))
    return Error{.code = ErrorCode::kArenaTooSmall, .found = UINT32_MAX, .limit = bytes};
  d.summary.arena_bytes = uint32_t(bytes);
  return d.summary;
}

/// A plan of known capacity: an aggregate, so that a constant one lies in flash.
template <size_t kLayers>
struct Plan {
  PlanSummary summary;
  LayerPlan layers[kLayers];
  Tensor tensors[max_tensors(kLayers)];
  Step steps[max_steps(kLayers)];
  Proof proofs[max_proofs(kLayers)];

  constexpr PlanView view() const {
    return {summary, std::span(layers).first(size_t(summary.layers)),
            std::span(tensors).first(size_t(summary.tensors)), std::span(steps).first(size_t(summary.steps)),
            std::span(proofs).first(size_t(summary.proofs))};
  }
};

/// plan() in a constant expression:  constexpr auto kPlan = plan(kModel, int8_recipe(), {.batch = 16}).value;
template <size_t kLayers>
constexpr Result<Plan<kLayers>> plan(const StaticModel<kLayers>& model, const Recipe& recipe,
                                     const PlanOptions& options = {}) {
  Result<Plan<kLayers>> result;
  Plan<kLayers>& p = result.value;
  int16_t order[max_tensors(kLayers)] = {};
  const Result<PlanSummary> made =
      plan_into(model, recipe, options, {p.layers, p.tensors, p.steps, p.proofs}, order);
  result.error = made.error;
  p.summary = made.value;
  return result;
}

}  // namespace mantissa
