// A plan as tables: what lies where and when, what a step does, and why nothing overflows.
#pragma once
#include <string>

#include "host/model/description.hpp"
#include "mantissa/model/plan.hpp"

namespace mantissa::host {

/// "conv1 weights".
std::string tensor_name(const Tensor& tensor, const Description& description);

/// "forward"; "gradient and update" where a plan has them in one.
std::string step_name(StepKind kind, const PlanSummary& plan);

/// The first step at which most bytes are alive.
int peak_step(const PlanView& plan);

/// Tensors, steps, totals, peak and proofs, for a terminal.
std::string plan_text(const PlanView& plan, const Description& description, const std::string& recipe);

}  // namespace mantissa::host
