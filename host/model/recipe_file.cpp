// Recipes from TOML and back.
// A file starts from a built-in recipe and says what differs; what is written says everything.
#include "host/model/recipe_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <utility>

#include "host/error.hpp"
#include "host/model/toml_reader.hpp"

namespace mantissa::host {
namespace {

constexpr Named<Recipe (*)()> kBuiltins[] = {
    {"float32", [] { return float32_recipe(); }},
    {"sym12", [] { return sym12_recipe(); }},
    {"sym8", [] { return sym8_recipe(); }},
    {"int8", [] { return int8_recipe(); }},
};
constexpr Named<Scaling> kScalings[] = {{"dynamic", Scaling::kDynamic}, {"delayed", Scaling::kDelayed}};
constexpr Named<Rounding> kRoundings[] = {{"half_away", Rounding::kHalfAway},
                                          {"half_even", Rounding::kHalfEven},
                                          {"floor", Rounding::kFloor},
                                          {"stochastic", Rounding::kStochastic}};
constexpr Named<Accumulation> kAccumulations[] = {{"auto", Accumulation::kAuto},
                                                  {"int32", Accumulation::kInt32}};
constexpr Named<GradientAccumulation> kGradientAccumulations[] = {{"rescale", GradientAccumulation::kRescale},
                                                                  {"fixed", GradientAccumulation::kFixed}};
constexpr NumberRange kMargin{0.125, 1024};
constexpr NumberRange kDecay{0, 1};

/// The format keys of a recipe and what each may hold.
enum class Allowed { kFloatOrSym, kGradient, kFloatOrSym8Or16 };
struct FormatKey {
  std::string_view name;
  Format LayerFormats::*member;
  Allowed allowed;
};
constexpr FormatKey kFormatKeys[] = {
    {"activation", &LayerFormats::activation, Allowed::kFloatOrSym},
    {"error", &LayerFormats::error, Allowed::kFloatOrSym},
    {"weight", &LayerFormats::weight, Allowed::kFloatOrSym},
    {"parameter", &LayerFormats::parameter, Allowed::kFloatOrSym},
    {"gradient", &LayerFormats::gradient, Allowed::kGradient},
    {"bias_gradient", &LayerFormats::bias_gradient, Allowed::kGradient},
    {"momentum", &LayerFormats::momentum, Allowed::kFloatOrSym8Or16},
};

std::string_view allowed_words(Allowed allowed) {
  switch (allowed) {
    case Allowed::kFloatOrSym: return "\"float32\" or \"sym2\" to \"sym16\"";
    case Allowed::kGradient:
      return "\"float32\", \"exact\", \"sym2\" to \"sym16\" or \"asym2\" to \"asym16\"";
    case Allowed::kFloatOrSym8Or16: return "\"float32\", \"sym8\" or \"sym16\"";
  }
  return "";
}

bool is_allowed(Format format, Allowed allowed) {
  switch (allowed) {
    case Allowed::kFloatOrSym: return format.is_float() || format.kind == FormatKind::kSym;
    case Allowed::kGradient: return true;
    case Allowed::kFloatOrSym8Or16:
      return format.is_float() || format == sym_format(8) || format == sym_format(16);
  }
  return false;
}

/// "float32", "exact", "sym2" to "sym16", "asym2" to "asym16".
std::optional<Format> format_of(std::string_view word) {
  if (word == "float32") return float32_format();
  if (word == "exact") return sym_int32_format();
  for (int bits = 2; bits <= 16; ++bits)
    for (const Format format : {sym_format(bits), asym_format(bits)})
      if (word == format_name(format)) return format;
  return {};
}

Format read_format(const TomlReader& table, const FormatKey& key) {
  const std::string word = table.text(key.name);
  if (word == "sym_int32" || word == "symint32")
    table.fail(
        key.name,
        fmt::format(
            "{} in {} is {}, which is how sums of products are held while they are computed, and is never "
            "stored: float32 takes the same four bytes and keeps small magnitudes; use {}",
            in_quotes(key.name), table.where(), in_quotes(word), allowed_words(key.allowed)));
  const std::optional<Format> format = format_of(word);
  if (!format || !is_allowed(*format, key.allowed))
    table.fail(key.name, fmt::format("{} in {} is {}; it must be {}", in_quotes(key.name), table.where(),
                                     in_quotes(word), allowed_words(key.allowed)));
  return *format;
}

void read_formats(const TomlReader& table, LayerFormats& formats) {
  for (const FormatKey& key : kFormatKeys)
    if (table.has(key.name)) formats.*key.member = read_format(table, key);
  // Biases are few: unless told otherwise, what makes weights small leaves them as they are.
  if (table.has("gradient") && !table.has("bias_gradient"))
    formats.bias_gradient = formats.gradient.is_narrow() ? float32_format() : formats.gradient;
}

void read_rounding(const TomlReader& rounding, Recipe& r) {
  rounding.allow({"wire", "parameter"});
  r.wire_rounding = rounding.choice<Rounding>("wire", kRoundings, r.wire_rounding);
  r.parameter_rounding = rounding.choice<Rounding>("parameter", kRoundings, r.parameter_rounding);
}

std::vector<LayerOverride> read_overrides(const TomlReader& layers, const Description& d,
                                          const LayerFormats& base) {
  const std::vector<std::string_view> known(d.layer_names.begin(), d.layer_names.end());
  std::vector<LayerOverride> overrides;
  for (const std::string_view name : layers.keys()) {
    const auto found = std::find(known.begin(), known.end(), name);
    if (found == known.end())
      layers.fail(name, fmt::format("model {} has no layer {}{}", in_quotes(d.name), in_quotes(name),
                                    suggestion(name, known)));
    TomlReader table = layers.table(name);
    table.rename(fmt::format("[layer.{}]", name));
    table.allow({"activation", "error", "weight", "parameter", "gradient", "bias_gradient", "momentum"});
    overrides.push_back({static_cast<int32_t>(found - known.begin()), base});
    read_formats(table, overrides.back().formats);
  }
  std::sort(overrides.begin(), overrides.end(),
            [](const LayerOverride& a, const LayerOverride& b) { return a.layer < b.layer; });
  return overrides;
}

std::string format_keys(const LayerFormats& formats) {
  std::string out;
  for (const FormatKey& key : kFormatKeys)
    out += fmt::format("{} = \"{}\"\n", key.name, format_name(formats.*key.member));
  return out;
}

}  // namespace

Recipe NamedRecipe::recipe() const& {
  Recipe r = settings;
  r.overrides = overrides;
  return r;
}

std::vector<std::string_view> builtin_recipe_names() {
  std::vector<std::string_view> names;
  for (const auto& builtin : kBuiltins) names.push_back(builtin.name);
  return names;
}

std::string format_name(Format format) {
  switch (format.kind) {
    case FormatKind::kFloat32: return "float32";
    case FormatKind::kSym: return fmt::format("sym{}", format.bits);
    case FormatKind::kSymInt32: return "exact";
    case FormatKind::kAsym: return fmt::format("asym{}", format.bits);
    case FormatKind::kBfp: return fmt::format("bfp{}", format.bits);
    case FormatKind::kInt32: return "int32";
    case FormatKind::kBool: return "bool";
  }
  return "";
}

std::string_view rounding_name(Rounding rounding) { return name_of(rounding, kRoundings); }

NamedRecipe find_recipe(std::string_view name_or_path, const Description& description) {
  for (const auto& builtin : kBuiltins)
    if (builtin.name == name_or_path) return {std::string(name_or_path), builtin.value(), {}};
  const std::string path(name_or_path);
  std::error_code ignored;
  if (std::filesystem::exists(path, ignored)) return parse_recipe(read_text_file(path), path, description);
  const std::vector<std::string_view> names = builtin_recipe_names();
  const std::string_view near = nearest(name_or_path, names);
  throw Error(fmt::format("recipe {}: no file has this name, and the built-in recipes are {}{}",
                          in_quotes(name_or_path), fmt::join(names, ", "),
                          near.empty() ? "" : fmt::format("; did you mean {}?", in_quotes(near))));
}

NamedRecipe parse_recipe(std::string_view toml_text, std::string_view source_name,
                         const Description& description) {
  const std::string source(source_name);
  const toml::table file = parse_toml(toml_text, source);
  const TomlReader top(file, source, "the recipe");
  top.allow({"name", "base", "activation", "error", "weight", "parameter", "gradient", "bias_gradient",
             "gradient_accumulation", "momentum", "scaling", "margin", "decay", "rounding", "accumulation",
             "layer"});
  NamedRecipe named{top.name("name"), {}, {}};
  Recipe& r = named.settings;
  r = top.choice<Recipe (*)()>("base", kBuiltins, float32_recipe)();
  read_formats(top, r.formats);
  r.scaling = top.choice<Scaling>("scaling", kScalings, r.scaling);
  r.margin = static_cast<float>(top.number("margin", kMargin, r.margin));
  r.decay = static_cast<float>(top.number("decay", kDecay, r.decay));
  if (top.has("rounding")) read_rounding(top.table("rounding"), r);
  r.accumulation = top.choice<Accumulation>("accumulation", kAccumulations, r.accumulation);
  r.gradient_accumulation = top.choice<GradientAccumulation>("gradient_accumulation", kGradientAccumulations,
                                                             r.gradient_accumulation);
  if (top.has("layer")) named.overrides = read_overrides(top.table("layer"), description, r.formats);
  return named;
}

std::string write_recipe(const NamedRecipe& named, const Description& description) {
  const Recipe& r = named.settings;
  std::string out = fmt::format("name = {}\n{}", toml_string(named.name), format_keys(r.formats));
  out += fmt::format("scaling = \"{}\"\nmargin = {}\ndecay = {}\n", name_of(r.scaling, kScalings), r.margin,
                     r.decay);
  out += fmt::format("rounding = {{ wire = \"{}\", parameter = \"{}\" }}\naccumulation = \"{}\"\n",
                     name_of(r.wire_rounding, kRoundings), name_of(r.parameter_rounding, kRoundings),
                     name_of(r.accumulation, kAccumulations));
  out += fmt::format("gradient_accumulation = \"{}\"\n",
                     name_of(r.gradient_accumulation, kGradientAccumulations));
  for (const LayerOverride& o : named.overrides)
    out +=
        fmt::format("\n[layer.{}]\n{}", toml_string(description.layer_names.at(static_cast<size_t>(o.layer))),
                    format_keys(o.formats));
  return out;
}

}  // namespace mantissa::host
