// Recipes by name or from a TOML file, with layers called by their names.
// The core's recipe numbers the layers and borrows its overrides; here they have names and an owner.
//
//   name = "mine"
//   base = "int8"                 # a built-in recipe to start from; default "float32"
//   activation = "sym8"           # wires forward: "float32", or 2 to 16 bits of "sym", "asym" or "bfp" (block floating point, groups
//                                 # of 32); "sym4/16": a scale for each 16 consecutive elements; likewise
//   error = "sym8"                # wires backward
//   weight = "sym8"               # weights in products: "float32" or "sym2" to "sym16"
//   parameter = "sym16"           # weights between steps, as wires, also "sym4/channel": a scale for each output channel; biases
//                                 # too, but as "sym16" where weights have several scales or zero points
//   gradient = "exact"            # or "float32"; exact: integer sums over the batch, and an integer update;
//                                 # or "sym2" to "sym16", "asym2" to "asym16": codes between micro-batches
//   bias_gradient = "exact"       # likewise; default as 'gradient', but "float32" where that is sym or asym
//   gradient_accumulation = "rescale"   # or "fixed": how the range of sym and asym gradients follows their sums
//   momentum = "sym16"            # or "float32", "sym8"
//   scaling = "delayed"           # or "dynamic"
//   margin = 2.0                  # delayed: range = margin * largest magnitude seen
//   decay = 0.9                   # delayed: a range shrinks to no less than decay of itself per batch
//   rounding = { activation = "half_away", error = "half_away", parameter = "stochastic" }   # or "half_even", "floor";
//                                 # wire = "..." is for activation and error
//   wire_memory = "operands"      # or "packed": activations that wait for the way back take only their bits
//   accumulation = "auto"         # or "int32": 32 bits or refuse the model
//
//   [layer.conv1]                 # what differs at one layer: any of the formats, and rounding
//   activation = "sym12"
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/model/description.hpp"
#include "mantissa/model/recipe.hpp"

namespace mantissa::host {

struct NamedRecipe {
  std::string name;
  Recipe settings;                       ///< without overrides
  std::vector<LayerOverride> overrides;  ///< in the order of the layers

  /// A view of this recipe, which must outlive it.
  Recipe recipe() const&;
  Recipe recipe() const&& = delete;
};

/// "float32", "sym12", "sym8", "int8".
std::vector<std::string_view> builtin_recipe_names();

/// What files call a format: "sym8", "asym4/32", "sym4/channel"; SymInt32 is "exact", as gradients are.
std::string format_name(Format format);

/// The format that files call so; nothing if none is.
std::optional<Format> format_from_name(std::string_view word);

/// "half_away".
std::string_view rounding_name(Rounding rounding);

/// A built-in recipe, or else the file of that path. `description` has the names of the layers.
/// Throws Error if it is neither (with the nearest built-in name), and as parse_recipe().
NamedRecipe find_recipe(std::string_view name_or_path, const Description& description);

/// `source_name` stands for the text in messages. Safe on arbitrary bytes.
/// Throws Error with the line if the text is not TOML, a key, word or layer is unknown (with the nearest
/// known one), or a value is of the wrong type or out of range. Whether formats go together, plan() says.
NamedRecipe parse_recipe(std::string_view toml_text, std::string_view source_name,
                         const Description& description);

/// The TOML text with every key written out, which parse_recipe() reads as an equal recipe.
std::string write_recipe(const NamedRecipe& recipe, const Description& description);

}  // namespace mantissa::host
