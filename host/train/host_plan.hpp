// A plan for a model that is known at run time only: the planner's arrays as vectors, its errors as
// sentences. Firmware has plans as constants; a host reads the model first and learns then how large they
// are.
#pragma once
#include <vector>

#include "host/model/description.hpp"
#include "host/model/recipe_file.hpp"
#include "mantissa/plan/plan.hpp"

namespace mantissa::host {

/// Whether training needs all samples of a batch in memory at once: a batch_norm that is not frozen makes statistics of them.
bool needs_whole_batch(const Description& description);

/// The smallest batch with which it can be planned for training: what a saved state is does not depend on the batch.
int smallest_batch(const Description& description);

class HostPlan {
 public:
  /// Throws Error, in the words of describe(), if the recipe does not go with the model or the options.
  HostPlan(const Description& description, const NamedRecipe& recipe, const PlanOptions& options);

  HostPlan(HostPlan&&) = default;
  HostPlan& operator=(HostPlan&&) = default;

  /// Valid while this object lives, and when it has been moved.
  PlanView view() const;

 private:
  std::vector<float> class_weights_;  ///< what the summary refers to
  PlanSummary summary_;
  std::vector<LayerPlan> layers_;
  std::vector<Tensor> tensors_;
  std::vector<Step> steps_;
  std::vector<Proof> proofs_;
};

}  // namespace mantissa::host
