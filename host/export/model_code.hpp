// A model and a recipe as C++ expressions of the core, as a person would write them.
#pragma once
#include <string>

#include "host/model/description.hpp"
#include "host/model/recipe_file.hpp"

namespace mantissa::host {

/// "constexpr auto kModel = ...": a layer per line, with its name.
std::string model_code(const Description& description);

/// "constexpr mantissa::Recipe kRecipe = ...": every setting, whatever a version's defaults are.
std::string recipe_code(const NamedRecipe& recipe, const Description& description);

}  // namespace mantissa::host
