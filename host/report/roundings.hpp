// Every place where a training step loses bits.
#pragma once
#include <string>
#include <vector>

#include "host/model/description.hpp"
#include "mantissa/plan/plan.hpp"

namespace mantissa::host {

/// One rounding, in words.
struct RoundingPlace {
  std::string path;     ///< "forward", "backward", "gradient" or "update"
  std::string where;    ///< "conv1 output"
  std::string from;     ///< "22-bit sums in int32"
  std::string to;       ///< "sym8"
  std::string rule;     ///< "half_away", as recipes have it, or "half_up": floor(x + 1/2)
  std::string scaling;  ///< "delayed, margin 2, decay 0.9"
};

/// In the order in which a batch meets them. Empty for float32 wires, where every operation rounds.
std::vector<RoundingPlace> roundings(const PlanView& plan, const Description& description);

}  // namespace mantissa::host
