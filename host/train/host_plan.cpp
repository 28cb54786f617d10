// Sizes the planner's arrays for the number of layers, and cuts them when it has said what it used.
#include "host/train/host_plan.hpp"

#include <algorithm>

#include "host/error.hpp"
#include "host/model/describe.hpp"
#include "mantissa/plan/planner.hpp"

namespace mantissa::host {

bool needs_whole_batch(const Description& description) {
  return std::ranges::any_of(description.nodes, [](const Node& n) {
    return n.op == Op::kBatchNorm && n.training == Training::kTrainable;
  });
}

int smallest_batch(const Description& description) { return needs_whole_batch(description) ? 2 : 1; }

HostPlan::HostPlan(const Description& description, const NamedRecipe& recipe, const PlanOptions& options) {
  const size_t count = description.nodes.size();
  layers_.resize(count);
  tensors_.resize(max_tensors(count));
  steps_.resize(max_steps(count));
  proofs_.resize(max_proofs(count));
  std::vector<int16_t> order(tensors_.size());
  const Result<PlanSummary> made =
      plan_into(description.model(), recipe.recipe(), options, {layers_, tensors_, steps_, proofs_}, order);
  if (!made.ok()) throw Error(describe(made.error, description, recipe.name));
  summary_ = made.value;
  class_weights_ = description.class_weights;
  summary_.loss_settings.class_weights = class_weights_;
  tensors_.resize(static_cast<size_t>(summary_.tensors));
  steps_.resize(static_cast<size_t>(summary_.steps));
  proofs_.resize(static_cast<size_t>(summary_.proofs));
}

PlanView HostPlan::view() const { return {summary_, layers_, tensors_, steps_, proofs_}; }

}  // namespace mantissa::host
