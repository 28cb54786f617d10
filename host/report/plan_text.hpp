// A plan as tables: what lies where and when, what a step does, and why nothing overflows.
#pragma once
#include <string>
#include <string_view>

#include "host/model/description.hpp"
#include "mantissa/plan/plan.hpp"

namespace mantissa::host {

/// "conv1 weights".
std::string tensor_name(const Tensor& tensor, const Description& description);

/// "forward".
std::string_view step_name(StepKind kind);

/// The first step at which most bytes are alive.
int peak_step(const PlanView& plan);

/// Tensors, steps, totals, peak and proofs, for a terminal.
std::string plan_text(const PlanView& plan, const Description& description, const std::string& recipe);

}  // namespace mantissa::host
