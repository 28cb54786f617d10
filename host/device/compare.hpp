// Whether two engines, planned differently, hold the same state after the same training.
// A hash says yes or no; here is where.
#pragma once
#include <optional>
#include <string>

#include "host/model/description.hpp"
#include "mantissa/engine/engine.hpp"

namespace mantissa::host {

/// The first element of parameters or momentum, then the first scale, that is not the same in both, with both values;
/// empty if all are. `a_name` and `b_name` are "the board", "the host". Requires engines of the same model and recipe.
struct EngineNames {
  std::string a, b;
};
std::optional<std::string> first_difference(const Engine& a, const Engine& b, const EngineNames& names,
                                            const Description& description);

}  // namespace mantissa::host
