// A constant plan as firmware keeps it in flash: without the room that planning needs, and without the proofs.
// A plan made in the compiler has arrays for the largest number of tensors; cut to what is there it takes a fifth.
#pragma once
#include <algorithm>

#include "mantissa/plan/planner.hpp"

namespace mantissa {

template <size_t kLayers, size_t kTensors, size_t kSteps>
struct CompactPlan {
  PlanSummary summary;
  LayerPlan layers[kLayers];
  Tensor tensors[kTensors];
  Step steps[kSteps];

  constexpr PlanView view() const { return {summary, layers, tensors, steps, {}}; }
};

/// static constexpr auto kMade = plan(kModel, int8_recipe());  constexpr auto kPlan = compact<kMade>();
/// Does not compile where there is no plan.
template <const auto& kMade>
constexpr auto compact() {
  static_assert(kMade.ok(), "the model cannot be planned: kMade.error says why");
  constexpr const PlanSummary& made = kMade.value.summary;
  CompactPlan<size_t(made.layers), size_t(made.tensors), size_t(made.steps)> plan{};
  plan.summary = made;
  std::copy_n(kMade.value.layers, made.layers, plan.layers);
  std::copy_n(kMade.value.tensors, made.tensors, plan.tensors);
  std::copy_n(kMade.value.steps, made.steps, plan.steps);
  return plan;
}

}  // namespace mantissa
