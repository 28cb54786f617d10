// Where formats meet, and what is inserted there.
#pragma once
#include <string>
#include <vector>

#include "host/model/description.hpp"
#include "mantissa/plan/plan.hpp"

namespace mantissa::host {

/// One place, in words.
struct Meeting {
  std::string where;     ///< "conv1 weights"
  std::string arrives;   ///< "sym16"
  std::string wanted;    ///< "sym8 codes"
  std::string inserted;  ///< "nothing: products read the upper bytes, where they lie"
};

/// In the order of the layers. Empty for float32 wires.
std::vector<Meeting> meetings(const PlanView& plan, const Description& description);

}  // namespace mantissa::host
