// Fuzzes the readers of model and recipe files: any bytes give a value that can be written, or Error.
// Such files come from strangers, and saved models hold them.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "host/error.hpp"
#include "host/model/description.hpp"
#include "host/model/recipe_file.hpp"

namespace {

using namespace mantissa::host;

const Description& small_model() {
  static const Description model = parse_description(
      "name='m'\n[input]\nchannels=1\n[[layer]]\ntype='conv1d'\nchannels=2\nkernel=1\n[[layer]]\ntype='relu'",
      "small");
  return model;
}

void check(const Error& error) {
  if (std::strlen(error.what()) > 2000) std::abort();
}

void try_description(std::string_view text) {
  Description d;
  try {
    d = parse_description(text, "fuzz");
  } catch (const Error& error) {
    return check(error);
  }
  const std::string written = write_description(d);  // that reading it fails is a finding
  if (write_description(parse_description(written, "written")) != written) std::abort();
}

void try_recipe(std::string_view text) {
  NamedRecipe recipe;
  try {
    recipe = parse_recipe(text, "fuzz", small_model());
  } catch (const Error& error) {
    return check(error);
  }
  const std::string written = write_recipe(recipe, small_model());
  if (write_recipe(parse_recipe(written, "written", small_model()), small_model()) != written) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  try_description(text);
  try_recipe(text);
  return 0;
}
