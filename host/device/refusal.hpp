// What to say of a training that a board has no room for: by how many bytes, and what would help.
// Each remedy is planned before it is named, so that none is offered that does not help.
#pragma once
#include <string>

#include "host/device/board_plan.hpp"

namespace mantissa::host {

/// Sentences for an error. Requires a plan that does not fit, made from the other arguments.
std::string refusal(const BoardPlan& plan, const Description& description, const NamedRecipe& recipe,
                    const BoardTarget& target, const BoardOptions& options);

/// Throws Error with the refusal unless the plan fits.
void require_fit(const BoardPlan& plan, const Description& description, const NamedRecipe& recipe,
                 const BoardTarget& target, const BoardOptions& options);

}  // namespace mantissa::host
