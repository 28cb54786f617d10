// Recipes from TOML and back.
// A file starts from a built-in recipe and says what differs; what is written says everything.
#include "host/model/recipe_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <utility>

#include "host/error.hpp"
#include "host/model/description_names.hpp"
#include "host/model/toml_reader.hpp"
#include "mantissa/plan/formats.hpp"

namespace mantissa::host {
namespace {

constexpr Named<Recipe (*)()> kBuiltins[] = {
    {"float32", [] { return float32_recipe(); }},
    {"sym12", [] { return sym12_recipe(); }},
    {"sym8", [] { return sym8_recipe(); }},
    {"int8", [] { return int8_recipe(); }},
};
constexpr Named<Accumulation> kAccumulations[] = {{"auto", Accumulation::kAuto},
                                                  {"int32", Accumulation::kInt32}};
constexpr Named<GradientAccumulation> kGradientAccumulations[] = {{"rescale", GradientAccumulation::kRescale},
                                                                  {"fixed", GradientAccumulation::kFixed}};
constexpr Named<WireMemory> kWireMemories[] = {{"operands", WireMemory::kOperands},
                                               {"packed", WireMemory::kPacked}};
constexpr NumberRange kMargin{0.125, 1024};
constexpr NumberRange kDecay{0, 1};

/// The format keys of a recipe and what each may hold.
enum class Allowed { kWire, kFloatOrSym, kParameter, kGradient, kFloatOrSym8Or16 };
struct FormatKey {
  std::string_view name;
  Format LayerFormats::*member;
  Allowed allowed;
};
constexpr FormatKey kFormatKeys[] = {
    {"activation", &LayerFormats::activation, Allowed::kWire},
    {"error", &LayerFormats::error, Allowed::kWire},
    {"weight", &LayerFormats::weight, Allowed::kFloatOrSym},
    {"parameter", &LayerFormats::parameter, Allowed::kParameter},
    {"gradient", &LayerFormats::gradient, Allowed::kGradient},
    {"bias_gradient", &LayerFormats::bias_gradient, Allowed::kGradient},
    {"momentum", &LayerFormats::momentum, Allowed::kFloatOrSym8Or16},
};

std::string_view allowed_words(Allowed allowed) {
  switch (allowed) {
    case Allowed::kWire:
      return "\"float32\", or \"sym\", \"asym\" or \"bfp\" with 2 to 16 bits, and \"/32\" behind it for "
             "groups of 32";
    case Allowed::kFloatOrSym: return "\"float32\" or \"sym2\" to \"sym16\"";
    case Allowed::kParameter:
      return "\"float32\", or \"sym\", \"asym\" or \"bfp\" with 2 to 16 bits, and \"/channel\" or \"/32\" "
             "behind it for a "
             "scale per output channel or group of 32";
    case Allowed::kGradient:
      return "\"float32\", \"exact\", \"sym2\" to \"sym16\" or \"asym2\" to \"asym16\"";
    case Allowed::kFloatOrSym8Or16: return "\"float32\", \"sym8\" or \"sym16\"";
  }
  return "";
}

bool is_allowed(Format format, Allowed allowed) {
  switch (allowed) {
    case Allowed::kWire:
      return format.is_float() || (format.is_narrow() && format.granularity() != Granularity::kChannel);
    case Allowed::kFloatOrSym: return format.is_float() || is_operand(format);
    case Allowed::kParameter: return format.is_float() || format.is_narrow();
    case Allowed::kGradient: return format.group == 0;
    case Allowed::kFloatOrSym8Or16:
      return format.is_float() || format == sym_format(8) || format == sym_format(16);
  }
  return false;
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
  const std::optional<Format> format = format_from_name(word);
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

/// "wire" is for both directions.
void read_rounding(const TomlReader& table, LayerFormats& f) {
  if (!table.has("rounding")) return;
  const TomlReader rounding = table.table("rounding");
  rounding.allow({"wire", "activation", "error", "parameter"});
  f.activation_rounding = rounding.choice<Rounding>("wire", kRoundings, f.activation_rounding);
  f.error_rounding = rounding.choice<Rounding>("wire", kRoundings, f.error_rounding);
  f.activation_rounding = rounding.choice<Rounding>("activation", kRoundings, f.activation_rounding);
  f.error_rounding = rounding.choice<Rounding>("error", kRoundings, f.error_rounding);
  f.parameter_rounding = rounding.choice<Rounding>("parameter", kRoundings, f.parameter_rounding);
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
    table.allow(
        {"activation", "error", "weight", "parameter", "gradient", "bias_gradient", "momentum", "rounding"});
    overrides.push_back({static_cast<int32_t>(found - known.begin()), base});
    read_formats(table, overrides.back().formats);
    read_rounding(table, overrides.back().formats);
  }
  std::sort(overrides.begin(), overrides.end(),
            [](const LayerOverride& a, const LayerOverride& b) { return a.layer < b.layer; });
  return overrides;
}

std::string format_keys(const LayerFormats& formats) {
  std::string out;
  for (const FormatKey& key : kFormatKeys)
    out += fmt::format("{} = \"{}\"\n", key.name, format_name(formats.*key.member));
  return out + fmt::format("rounding = {{ activation = \"{}\", error = \"{}\", parameter = \"{}\" }}\n",
                           rounding_name(formats.activation_rounding), rounding_name(formats.error_rounding),
                           rounding_name(formats.parameter_rounding));
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

namespace {

/// "/channel", "/32"; Bfp has groups of 32 unless it says otherwise.
std::string group_suffix(Format format) {
  const uint16_t usual = format.kind == FormatKind::kBfp ? bfp_format(8).group : uint16_t{0};
  if (format.group == usual) return "";
  return format.group == kPerChannel ? "/channel" : fmt::format("/{}", format.group);
}

/// The number that is all of the text, or nothing.
std::optional<int> number_of(std::string_view text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || text.starts_with('0')) return {};
  return number;
}

}  // namespace

std::optional<Format> format_from_name(std::string_view word) {
  if (word == "float32") return float32_format();
  if (word == "exact") return sym_int32_format();
  for (const Format kind : {sym_format(2), asym_format(2), bfp_format(2)}) {
    const std::string stem = format_name({kind.kind, 0, kind.group});
    const std::string_view prefix(stem.data(), stem.size() - 1);  // without the digit
    if (!word.starts_with(prefix)) continue;
    const std::string_view rest = word.substr(prefix.size());
    const size_t slash = std::min(rest.find('/'), rest.size());
    const std::optional<int> bits = number_of(rest.substr(0, slash));
    if (!bits || *bits < 2 || *bits > 16) return {};
    Format format{kind.kind, static_cast<uint8_t>(*bits), kind.group};
    if (slash == rest.size()) return format;
    const std::string_view granularity = rest.substr(slash + 1);
    if (granularity == "channel") {
      format.group = kPerChannel;
      return format;
    }
    const std::optional<int> group = number_of(granularity);
    if (!group || *group < 1 || *group > kLargestGroup) return {};
    format.group = static_cast<uint16_t>(*group);
    return format;
  }
  return {};
}

std::string format_name(Format format) {
  switch (format.kind) {
    case FormatKind::kFloat32: return "float32";
    case FormatKind::kSym: return fmt::format("sym{}{}", format.bits, group_suffix(format));
    case FormatKind::kSymInt32: return "exact";
    case FormatKind::kAsym: return fmt::format("asym{}{}", format.bits, group_suffix(format));
    case FormatKind::kBfp: return fmt::format("bfp{}{}", format.bits, group_suffix(format));
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
             "wire_memory", "layer"});
  NamedRecipe named{top.name("name"), {}, {}};
  Recipe& r = named.settings;
  r = top.choice<Recipe (*)()>("base", kBuiltins, float32_recipe)();
  read_formats(top, r.formats);
  r.scaling = top.choice<Scaling>("scaling", kScalings, r.scaling);
  r.margin = static_cast<float>(top.number("margin", kMargin, r.margin));
  r.decay = static_cast<float>(top.number("decay", kDecay, r.decay));
  read_rounding(top, r.formats);
  r.wire_memory = top.choice<WireMemory>("wire_memory", kWireMemories, r.wire_memory);
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
  out += fmt::format("accumulation = \"{}\"\nwire_memory = \"{}\"\n", name_of(r.accumulation, kAccumulations),
                     name_of(r.wire_memory, kWireMemories));
  out += fmt::format("gradient_accumulation = \"{}\"\n",
                     name_of(r.gradient_accumulation, kGradientAccumulations));
  for (const LayerOverride& o : named.overrides)
    out +=
        fmt::format("\n[layer.{}]\n{}", toml_string(description.layer_names.at(static_cast<size_t>(o.layer))),
                    format_keys(o.formats));
  return out;
}

}  // namespace mantissa::host
