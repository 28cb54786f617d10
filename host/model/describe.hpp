// An error of the core as a sentence or two for a person.
// The core says which layer and which numbers; the names and what would do are known here.
#pragma once
#include <string>
#include <string_view>

#include "host/model/description.hpp"
#include "mantissa/base/error.hpp"

namespace mantissa::host {

/// Names the layer, what was found, what it needs and what would do. `recipe` is the recipe's name, if any.
std::string describe(const mantissa::Error& error, const Description& description,
                     std::string_view recipe = {});

}  // namespace mantissa::host
