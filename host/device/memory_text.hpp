// A board's RAM as a person reads it: what is planned, what the largest parts are, what a run then used.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "host/device/board_plan.hpp"
#include "host/model/description.hpp"

namespace mantissa::host {

/// A table; with `stack_used` where it was measured.
std::string memory_text(const BoardPlan& plan, const Description& description,
                        std::optional<uint32_t> stack_used = std::nullopt);

}  // namespace mantissa::host
