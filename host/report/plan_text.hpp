// A plan as tables: what lies where and when, what a step does, and why nothing overflows.
#pragma once
#include <string>

#include "host/model/description.hpp"
#include "mantissa/model/plan.hpp"

namespace mantissa::host {

/// Tensors, steps, totals, peak and proofs, for a terminal.
std::string plan_text(const PlanView& plan, const Description& description, const std::string& recipe);

}  // namespace mantissa::host
